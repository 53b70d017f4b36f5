"""What every source promises, each held to the same tests."""

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import pytest
from capture_samples import encoded, joined, read_all, read_until_error, sweep
from capture_servers import Server, serving, whole
from microphone_fakes import FakePortAudio

from stream_match.capture import open_source
from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.file import FileSource
from stream_match.capture.pcm import PcmSource
from stream_match.capture.uri import NAME_PATTERN
from stream_match.errors import SourceError, StreamMatchError

Y = sweep(2.0)


@dataclass
class Case:
    """A source that works, one whose target is bad, and what this kind cannot do."""

    good: object
    bad: object
    reopens_alike: bool = True
    reads_at_most: int | None = None


def file_case(folder, _):
    path = folder / "song.flac"
    path.write_bytes(encoded(Y, SAMPLE_RATE_HZ, "FLAC"))
    return Case(open_source(str(path)), FileSource(str(folder / "none.flac"), "none"))


def url_case(_, request):
    pytest.importorskip("av")
    server = request.enter(serving(Server()))
    server.pages["/song.flac"] = whole(encoded(Y, SAMPLE_RATE_HZ, "FLAC"))
    return Case(
        open_source(server.url("/song.flac?token=hunter2", "ann:hunter2@")),
        open_source(server.url("/none?token=hunter2", "ann:hunter2@")),
    )


def microphone_case(folder, request):
    FakePortAudio(folder, request.patch)
    return Case(open_source("mic:usb"), open_source("mic:nobody"), reopens_alike=False, reads_at_most=5)


def pcm_case(folder, request):
    path = folder / "raw"
    path.write_bytes((Y * 32767).astype("<i2").tobytes())
    raw = request.enter(path.open("rb"))
    uri = "pcm:-?rate=22050&channels=1&format=s16le"
    # Standard input is there once; no descriptor has this number.
    return Case(
        PcmSource(uri, "pcm", descriptor=raw.fileno()), PcmSource(uri, "x", descriptor=1_000_000), False
    )


def demo_case(_, __):
    return Case(open_source("demo:"), None, reads_at_most=30)


class Resources:
    """What a case opens, closed after its test."""

    def __init__(self, stack, patch):
        self.enter = stack.enter_context
        self.patch = patch


@pytest.fixture(
    params=[file_case, url_case, microphone_case, pcm_case, demo_case], ids=lambda make: make.__name__
)
def case(request, tmp_path, monkeypatch):
    with ExitStack() as stack:
        yield request.param(tmp_path, Resources(stack, monkeypatch))


class TestSource:
    def test_has_a_name_fit_for_a_topic(self, case):
        assert NAME_PATTERN.fullmatch(case.good.name)

    def test_shows_no_secret(self, case):
        assert "hunter2" not in case.good.uri
        assert "hunter2" not in case.good.name

    def test_says_whether_it_is_live(self, case):
        assert isinstance(case.good.live, bool)

    def test_yields_mono_float32_that_is_the_receivers(self, case):
        blocks = read_all(case.good, case.reads_at_most)
        assert sum(block.y.size for block in blocks) > 0
        for block in blocks:
            assert block.y.dtype == np.float32
            assert block.y.ndim == 1
            assert block.y.flags.writeable
            assert block.gap_s >= 0
            assert np.isfinite(block.y).all()
            assert np.abs(block.y).max(initial=0) <= 1.0

    def test_opens_again_with_the_same_audio(self, case):
        if not case.reopens_alike:
            pytest.skip("what was heard is gone")
        first, second = (joined(read_all(case.good, case.reads_at_most)) for _ in range(2))
        np.testing.assert_array_equal(first, second)

    def test_closing_in_the_middle_leaves_no_thread(self, case):
        before = set(threading.enumerate())
        read_all(case.good, limit=1)
        assert not _left(before)

    def test_the_end_leaves_no_thread(self, case):
        before = set(threading.enumerate())
        read_all(case.good, case.reads_at_most)
        assert not _left(before)

    def test_a_bad_target_is_a_sentence_without_secrets(self, case):
        if case.bad is None:
            pytest.skip("there is no other target")
        before = set(threading.enumerate())
        blocks, error = read_until_error(case.bad, SourceError)
        assert isinstance(error, StreamMatchError)
        assert blocks == []
        assert "hunter2" not in str(error)
        assert "\n" not in str(error)
        assert not _left(before)


def _left(before):
    """Threads of sources that have not ended; servers' threads are none of ours."""
    deadline = time.monotonic() + 2
    prefixes = ("file-", "url-", "mic-", "pcm-", "demo-")
    while time.monotonic() < deadline:
        left = [thread for thread in set(threading.enumerate()) - before if thread.name.startswith(prefixes)]
        if not left:
            return []
        time.sleep(0.01)
    return left
