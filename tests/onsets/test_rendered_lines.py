"""Rendered lines: what is played, and when each note of it is heard, with a synthesiser of sines."""

import sys
from pathlib import Path
from types import MappingProxyType, SimpleNamespace

import numpy as np
import pytest
from onset_samples import RATE_HZ

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

from beginnings.lines import HEARD, Instrument, Note, rendered

ANY = Instrument(0, 0, 127)
PERIOD_S = 1 / 200


class Sines:
    """A synthesiser whose notes grow evenly for some time and stop at once; a key's loudness is told it."""

    attack_s = 0.2
    loudness = MappingProxyType({})

    def __init__(self, **_):
        self.voices, self.now = {}, 0

    sfload = program_select = pitchbend_range = pitchbend = control_change = lambda *_: 0

    def noteon(self, channel, key, velocity):
        self.voices[channel, key] = (self.now, velocity / 127 * self.loudness.get(key, 1.0))

    def noteoff(self, channel, key):
        self.voices.pop((channel, key), None)

    def sounds_off(self):
        self.voices.clear()

    def generate(self, n):
        at = np.arange(self.now, self.now + n)
        y = np.zeros(n)
        for since, loudness in self.voices.values():
            grown = np.minimum(1, (at - since) / (self.attack_s * RATE_HZ)) if self.attack_s else 1
            y += loudness * grown * np.sin(2 * np.pi * (at - since) / (PERIOD_S * RATE_HZ))
        self.now += n
        return memoryview(np.repeat(y, 2).astype(np.float32).tobytes())


@pytest.fixture
def sines(monkeypatch):
    def made(attack_s=0.2, loudness=None):
        kind = type("Made", (Sines,), {"attack_s": attack_s, "loudness": loudness or {}})
        monkeypatch.setitem(sys.modules, "tinysoundfont", SimpleNamespace(Synth=kind))

    return made


def line(notes, played="detached", **how):
    return rendered(notes, ANY, played, Path("none.sf2"), np.random.default_rng(0), **how)


@pytest.mark.parametrize("attack_s", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("channels", [(0,), (0, 1)])
def test_a_note_is_heard_where_it_reaches_a_tenth_of_its_peak(sines, attack_s, channels):
    sines(attack_s)
    notes = [Note(start_s, start_s + 0.45, 60, 0.5) for start_s in (0.3, 0.8, 1.3)]
    _, heard_s = line(notes, channels=channels)
    for note, at_s in zip(notes, heard_s, strict=True):
        assert note.start_s + HEARD * attack_s <= at_s + 1e-4
        assert at_s <= note.start_s + HEARD * attack_s + PERIOD_S


def test_the_peak_of_a_note_is_what_it_reaches_while_it_is_held(sines):
    sines(0.4)
    _, (at_s,) = line([Note(0.3, 0.4, 60, 1.0)])  # a quarter of the loudness
    assert at_s == pytest.approx(0.3 + HEARD * 0.1, abs=PERIOD_S)


def test_notes_that_overlap_are_heard_each_by_itself(sines):
    sines(0.2)
    notes = [Note(0.3, 1.2, 60, 0.6), Note(1.0, 1.5, 64, 0.6)]
    y, heard_s = line(notes)
    assert heard_s == pytest.approx([0.3 + 0.02, 1.0 + 0.02], abs=PERIOD_S)
    first, second = (line([note])[0] for note in notes)
    # Each is as loud as the other: alone both have a peak of 0.5.
    alone = np.zeros(len(y))
    alone[: len(first)] += first
    alone[: len(second)] += second[: len(alone)]
    np.testing.assert_allclose(y, alone * (0.5 / np.abs(alone).max()), atol=1e-3)


@pytest.mark.parametrize(("softer", "told"), [(0.5, 0.62), (0.12, 0.62), (0.05, np.nan)])
def test_a_note_far_below_what_else_sounds_is_not_heard(sines, softer, told):
    sines(0.2, {64: softer})
    _, heard_s = line([Note(0.3, 1.2, 60, 1.0), Note(0.6, 0.9, 64, 1.0)])
    assert heard_s == pytest.approx([0.32, told], abs=PERIOD_S, nan_ok=True)


def test_a_slurred_note_is_heard_where_its_pitch_steps(sines):
    sines(0.2)
    notes = [Note(0.3, 0.61, 60, 0.8), Note(0.6, 0.91, 62, 0.8), Note(0.9, 1.2, 64, 0.8)]
    _, heard_s = line(notes, "slurred")
    assert heard_s == pytest.approx([0.32, 0.6, 0.9], abs=PERIOD_S)
