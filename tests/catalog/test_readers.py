"""Whoever reads files, processes of this computer or a cluster: the contract of `Readers`."""

import numpy as np
import pytest
from catalog_samples import song, write
from dask_processes import DaskProcesses

from stream_match.catalog.coded_files import Coding, Sampling, code_file, read_and_code_file, sample_file
from stream_match.catalog.read import ReadTrack, Unread, read_track
from stream_match.catalog.readers import readers
from stream_match.config import FeatureSettings
from stream_match.index.coding import fit_to_samples
from stream_match.threads import one_thread

SETTINGS = FeatureSettings()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    processes = DaskProcesses(tmp_path_factory.mktemp("dask"))
    processes.add_worker("a")
    processes.add_worker("b")
    yield processes
    processes.end()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Three songs, a text and a folder that is called like one; the largest is not the first."""
    folder = tmp_path_factory.mktemp("files")
    songs = [write(folder / f"{number}.wav", song(number, 3.0 + number)) for number in range(3)]
    (folder / "text.wav").write_text("no audio")
    (folder / "folder.wav").mkdir()
    return [*songs, folder / "text.wav", folder / "folder.wav"]


@pytest.fixture(params=["this process", "two processes", "a cluster"])
def at(request, tmp_path):
    on = request.getfixturevalue("cluster").address if request.param == "a cluster" else None
    jobs = {"this process": 1, "two processes": 2}.get(request.param)
    with one_thread(), readers(tmp_path, jobs=jobs, on=on) as found:
        yield found


@pytest.fixture(scope="module")
def expected(files, tmp_path_factory):
    """What the steps by hand make of the songs."""
    work = tmp_path_factory.mktemp("by hand")
    with one_thread():
        read = [read_track(path, work / f"{path.name}.frames", SETTINGS) for path in files[:3]]
        samples = [
            sample_file(path, work / f"{path.name}.frames", Sampling(SETTINGS, 5)) for path in files[:3]
        ]
        planes = fit_to_samples(samples, 5, SETTINGS)
        coding = Coding(SETTINGS, planes)
        coded = [code_file(path, work / f"{path.name}.frames", coding) for path in files[:3]]
    return read, samples, coding, coded


def equal(one, other):
    return all(
        np.array_equal(getattr(one.codes, name), getattr(other.codes, name))
        for name in ("codes", "chroma_codes", "audible")
    ) and np.array_equal(one.coarse, other.coarse)


def test_files_are_read_sampled_and_coded_as_by_hand(at, files, expected):
    read, samples, coding, coded = expected
    done = {}
    found = at.each(files, read_track, SETTINGS, on_done=done.__setitem__)
    assert found[:3] == read
    assert all(
        isinstance(result, Unread) and str(path) in result.reason
        for path, result in zip(files[3:], found[3:], strict=True)
    )
    assert done == dict(enumerate(found))
    songs = files[:3]
    for one, other in zip(
        at.each(songs, sample_file, Sampling(SETTINGS, 5), kept=True), samples, strict=True
    ):
        np.testing.assert_array_equal(one.shape, other.shape)
        np.testing.assert_array_equal(one.chroma, other.chroma)
    results = at.each(songs, code_file, coding, kept=True)
    assert all(map(equal, results, coded))
    assert [result.read for result in results] == [None] * 3  # the frames were there


def test_files_are_read_and_coded_at_once(at, files, expected):
    read, _, coding, coded = expected
    at.each(files[:1], read_track, SETTINGS)  # as a try that broke off may have done
    results = at.each(files, read_and_code_file, coding)
    assert all(map(equal, results[:3], coded))
    assert [result.read for result in results[:3]] == read
    assert all(isinstance(result, Unread) for result in results[3:])


def test_frames_that_have_gone_are_made_again(at, files, expected):
    _, samples, _, _ = expected
    results = at.each(files[:3], sample_file, Sampling(SETTINGS, 5), kept=True)  # nothing has been read
    for one, other in zip(results, samples, strict=True):
        np.testing.assert_array_equal(one.shape, other.shape)


def test_no_files_are_no_results(at):
    assert at.each([], read_track, SETTINGS) == []


def test_a_track_read_says_how_many_frames(files, tmp_path):
    read = read_track(files[0], tmp_path / "x.frames", SETTINGS)
    assert isinstance(read, ReadTrack)
    assert read.n_frames == (tmp_path / "x.frames").stat().st_size // (4 * 108)
