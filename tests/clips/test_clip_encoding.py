import io

import numpy as np
import pytest
import soundfile

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.repertoire import PIECES
from stream_match.capture.synth import render
from stream_match.capture.tags import tags
from stream_match.clips.encoding import check_format, encoded
from stream_match.clips.samples import read_stretch, sixteen_bits
from stream_match.errors import SourceError, UsageError


@pytest.fixture(scope="module")
def y():
    return sixteen_bits(render(PIECES[0])[: 6 * SAMPLE_RATE_HZ])


def test_flac_is_exact(y, tmp_path):
    data = encoded(y, "flac", title="Sóng", artist="Singer", comment="kitchen")
    read, rate = soundfile.read(io.BytesIO(data), dtype="int16")
    assert rate == SAMPLE_RATE_HZ
    assert (read == y).all()
    (tmp_path / "a.flac").write_bytes(data)
    assert tags(tmp_path / "a.flac") == {"title": "Sóng", "artist": "Singer"}
    assert (read_stretch(tmp_path / "a.flac") == y).all()


def test_opus_sounds_the_same_and_is_smaller(y, tmp_path):
    data = encoded(y, "opus", title="Song")
    assert len(data) < 0.6 * len(encoded(y, "flac"))
    (tmp_path / "a.opus").write_bytes(data)
    read = read_stretch(tmp_path / "a.opus").astype(float)
    assert len(read) == pytest.approx(len(y), abs=0.05 * SAMPLE_RATE_HZ)
    shared = min(len(read), len(y))
    spectra = [np.abs(np.fft.rfft(one[:shared].astype(float)))[: shared // 4] for one in (read, y)]
    assert np.corrcoef(*spectra)[0, 1] > 0.95


def test_an_empty_or_hostile_title_is_no_obstacle(y):
    for title in ("", "\0", "a\0b", "\ud800", "x" * 10_000, "ü\n"):
        assert encoded(y[:2000], "flac", title=title)


def test_a_format_that_is_not_written_here_is_refused(monkeypatch):
    check_format("opus")
    monkeypatch.setattr(soundfile, "available_subtypes", lambda _: {"VORBIS": "Vorbis"})
    with pytest.raises(UsageError, match="does not write it; take format"):
        check_format("opus")


def test_a_stretch_of_a_file_is_read_and_nothing_that_is_not_there(y, tmp_path):
    path = tmp_path / "a.flac"
    path.write_bytes(encoded(y, "flac"))
    assert (
        read_stretch(path, 1.5, 3.25) == y[round(1.5 * SAMPLE_RATE_HZ) : round(3.25 * SAMPLE_RATE_HZ)]
    ).all()
    assert (read_stretch(path, 5.0) == y[5 * SAMPLE_RATE_HZ :]).all()
    for start, end, said in [
        (4.0, 6.5, "is 6.00 s long"), (7.0, None, "is 6.00 s long"), (3.0, 3.0, "ends after it begins"),
        (-1.0, 3.0, "ends after it begins"), (float("nan"), None, "ends after it begins"),
        (0.0, 4000.0, "3600 s at most"),
    ]:  # fmt: skip
        with pytest.raises(UsageError, match=said):
            read_stretch(path, start, end)
    with pytest.raises(SourceError, match="there is no file"):
        read_stretch(tmp_path / "none.flac")
