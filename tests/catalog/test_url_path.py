"""Audio behind a URL of fsspec: found, fetched, and told of without secrets."""

import errno
import os

import fsspec
import pytest
from catalog_samples import contents, song, write

from stream_match.catalog import url_path
from stream_match.catalog.build import build_index
from stream_match.catalog.edit import add_tracks
from stream_match.catalog.find import find_tracks
from stream_match.catalog.url_path import UrlPath, local_copy, place
from stream_match.cli import main
from stream_match.errors import CatalogError, SourceError, UsageError


@pytest.fixture
def bucket(music):
    """The music in memory."""
    memory = fsspec.filesystem("memory")
    memory.put(str(music), "/bucket", recursive=True)
    yield UrlPath("memory://bucket")
    memory.rm("/bucket", recursive=True)


def test_equal_files_give_equal_bytes_wherever_they_are(bucket, music, built, tmp_path):
    build_index([bucket], tmp_path / "memory", jobs=1)
    build_index([UrlPath(f"file://{music}/")], tmp_path / "file", jobs=2)
    assert contents(tmp_path / "memory") == contents(tmp_path / "file") == contents(built)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "memory"]


def test_a_single_file_is_added(bucket, built, index, tmp_path, music):
    write(tmp_path / "new.wav", song(9))
    assert main(["index", "add", str(index), f"file://{tmp_path}/new.wav", "--jobs", "1"]) == 0
    local = tmp_path / "local"
    build_index([music], local, jobs=1)
    add_tracks(local, [tmp_path / "new.wav"], jobs=1)
    assert contents(index) == contents(local)


def test_what_is_found_is_what_a_folder_would_give(tmp_path):
    for name in ["a/x.wav", "a/x.mp3", "a/.hidden.wav", ".trash/y.wav", "a/cover.jpg", "z.flac"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    there, here = find_tracks([UrlPath(f"file://{tmp_path}")]), find_tracks([tmp_path])
    assert [track.id for track in there.tracks] == [track.id for track in here.tracks] == ["a/x", "z"]
    assert [str(track.path) for track in there.tracks] == [f"file://{track.path}" for track in here.tracks]
    assert [str(path) for _, path in there.twins] == [f"file://{path}" for _, path in here.twins]
    assert (there.other, there.hidden) == (here.other, 2)


def test_the_same_place_given_twice_is_one(bucket):
    assert len(find_tracks([bucket, bucket]).tracks) == 5


def test_two_tracks_of_one_name_are_refused(bucket, music):
    with pytest.raises(UsageError, match="would both be the track 'disc 0/song0'"):
        find_tracks([bucket, music])


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("memory://none", "there is nothing at 'memory://none'"),
        ("file:///none/here", "there is nothing at 'file:///none/here'"),
        ("nosuch://bucket", "'nosuch://bucket' cannot be listed"),
        ("ftp://ann:s3cret@127.0.0.1:1/music?key=s3cret", r"'ftp://127.0.0.1:1/music' cannot be listed"),
    ],
)
def test_what_is_not_there_is_told_in_a_sentence(url, expected):
    with pytest.raises(UsageError, match=expected) as raised:
        find_tracks([place(url)])
    assert "s3cret" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_no_secret_is_shown():
    path = UrlPath("s3://ann:s3cret@host/bucket/a.wav?token=s3cret")
    assert str(path) == "s3://host/bucket/a.wav"
    assert "s3cret" not in repr(path)


def test_what_cannot_be_read_is_skipped_by_its_url(bucket, tmp_path):
    fsspec.filesystem("memory").pipe("/bucket/odd.wav", b"no audio")
    report = build_index([bucket], tmp_path / "out", jobs=1)
    ((path, reason),) = report.skipped
    assert str(path) == "memory://bucket/odd.wav"
    assert "'memory://bucket/odd.wav'" in reason
    assert ".copy" not in reason
    assert report.tracks == 5


def test_what_has_gone_meanwhile_is_the_files_fault_and_a_full_disk_is_not(tmp_path, monkeypatch):
    with (
        pytest.raises(SourceError, match="there is no file 'memory://gone'"),
        local_copy(UrlPath("memory://gone"), tmp_path / "x"),
    ):
        pass

    class Full:
        def get_file(self, *_):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(url_path, "_opened", lambda path: (Full(), path.url))
    with pytest.raises(OSError, match="No space"), local_copy(UrlPath("memory://a"), tmp_path / "x"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_while_fetching_ends_the_build(bucket, tmp_path, monkeypatch):
    def full(_path, _copy):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(url_path, "_fetch", full)
    with pytest.raises(CatalogError, match="the disk is full; nothing was changed"):
        build_index([bucket], tmp_path / "out", jobs=1)
    assert list(tmp_path.iterdir()) == []
