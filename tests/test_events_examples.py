"""The examples of docs/events.md are what commands print, and its Python runs."""

import json
import re
import shlex
from pathlib import Path

import pytest
import soundfile
from publish import publish_samples

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.repertoire import PIECES
from stream_match.capture.synth import render
from stream_match.cli import main
from stream_match.cli.genre import _as_json
from stream_match.cli.similar import _lines
from stream_match.descriptors.genre_model import GenreTold
from stream_match.events import Track, to_json
from stream_match.offline.genre.naming import Named
from stream_match.offline.tables.compared import Similar

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
PRINTED = {
    shlex.split(command)[0]: (command, json.loads(line))
    for command, line in re.findall(r"^`([^`]+ --json)`(?:(?!```).)*```json\n(.*?)```", PAGE, re.M | re.S)
    if "lsh-counts" not in command
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with the files that the page speaks of."""
    y = render(PIECES[0])
    soundfile.write(tmp_path / "harbour-lights.wav", y, SAMPLE_RATE_HZ)
    soundfile.write(tmp_path / "excerpt.wav", y[5 * SAMPLE_RATE_HZ : 17 * SAMPLE_RATE_HZ], SAMPLE_RATE_HZ)
    (tmp_path / "models").symlink_to(ROOT / "models")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def alike(shown, printed):
    """Whether two values of JSON have the same keys and texts, and about the same numbers."""
    if isinstance(shown, dict):
        return list(shown) == list(printed) and all(alike(shown[key], printed[key]) for key in shown)
    if isinstance(shown, list):
        return len(shown) == len(printed) and all(map(alike, shown, printed))
    if isinstance(shown, int | float) and not isinstance(shown, bool):
        return printed == pytest.approx(shown, rel=0.1, abs=0.05)  # other processors round otherwise
    return shown == printed


def test_every_command_of_the_page_is_looked_at():
    assert set(PRINTED) == {"identify", "onsets", "compare", "similar", "genre"}


@pytest.mark.parametrize("name", ["identify", "onsets", "compare"])
def test_a_command_prints_the_line_of_the_page(place, capfd, name):
    command, shown = PRINTED[name]
    assert main(shlex.split(command)) == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert any(alike(shown, line) for line in lines), lines


def test_a_line_of_similar_has_these_fields():
    _, shown = PRINTED["similar"]
    track, distance = Track(**shown["track"]), shown["distance"]
    found = Similar("x", "weighted", ("rp",), 1, ((track.id, distance),), known={track.id: track})
    assert [json.loads(line) for line in _lines(found)] == [shown]


def test_a_line_of_genre_has_these_fields():
    _, shown = PRINTED["genre"]
    told = GenreTold(*(shown[name] for name in ("genre", "probability", "likeliest", "runner_up", "reason")))
    assert _as_json(Named(shown["file"], told, shown["rows"])) == shown


def test_the_python_of_the_page_runs(place, capsys):
    events = [publish_samples.match(1), publish_samples.status(2)]
    (place / "events.jsonl").write_text("".join(f"{to_json(event)}\n" for event in events), "utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    exec(compile(code, "docs/events.md", "exec"), {})
    found, *matches, types = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"\[\('Harbour Lights', (4\.9|5\.0)\d*\)\]", found)
    assert {line.split()[0] for line in matches} >= {"started", "ended"}
    assert all(" Harbour Lights " in line for line in matches)
    assert types == "['match', 'status']"
