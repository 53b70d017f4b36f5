"""A generation takes the place of another whole, whoever is killed when, and whatever the disk does."""

import errno
import fcntl
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from catalog_samples import contents, song, write

from stream_match.catalog import (
    add_tracks,
    build,
    build_index,
    compact_index,
    list_tracks,
    load_index,
    lock,
    remove_tracks,
    verify_index,
)
from stream_match.catalog import writing as writing_module
from stream_match.catalog.manifest import read_manifest
from stream_match.catalog.store import open_index
from stream_match.catalog.writing import check_place, settled, writing
from stream_match.errors import CatalogError, UsageError

ROOT = Path(__file__).parents[2]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def ids(index):
    return [row.id for row in list_tracks(index)]


@pytest.fixture(scope="module")
def song9(tmp_path_factory):
    return write(tmp_path_factory.mktemp("new") / "new.wav", song(9, 3.0))


# Everything that changes a disk, and what is done in the end; counted, and broken at one of them.
BROKEN = """
import errno, fcntl, os, pathlib, shutil, signal, sys
import numpy as np
from stream_match.catalog import (
    add_tracks, build, build_index, compact_index, edit, hash_index, remove_tracks, update_index
)
from stream_match.errors import StreamMatchError

what, index, old, *given = sys.argv[1:]
what, _, without_locks = what.partition(" ")
index, old = pathlib.Path(index), pathlib.Path(old)
how, left = "", 1 << 30

def broken(function, *, deletes=False):
    def called(*args, **kwargs):
        global left
        if not (deletes and how == "full"):  # a full disk does not mind what is deleted
            left -= 1
            if left < 0:
                if how == "killed":
                    os.kill(os.getpid(), signal.SIGKILL)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return function(*args, **kwargs)
    return called

for place, name, deletes in [
    (pathlib.Path, "rename", 0), (pathlib.Path, "replace", 0), (pathlib.Path, "mkdir", 0),
    (pathlib.Path, "unlink", 1), (pathlib.Path, "rmdir", 1), (pathlib.Path, "write_bytes", 0),
    (pathlib.Path, "write_text", 0), (os, "fsync", 0), (os, "ftruncate", 0), (os, "pwrite", 0),
    (shutil, "rmtree", 1), (np, "save", 0), (os, "write", 0),
]:
    setattr(place, name, broken(getattr(place, name), deletes=bool(deletes)))

def opening(path, flags, *args, opened=os.open, made=broken(os.open), **kwargs):
    return (made if flags & os.O_CREAT else opened)(path, flags, *args, **kwargs)

def no_locks(*_):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

os.open = opening
if without_locks:
    fcntl.flock = no_locks

def act():
    paths = [pathlib.Path(path) for path in given]
    {
        "build": lambda: build_index(paths, index, jobs=1),
        "replace": lambda: build_index(paths, index, jobs=1, replace=True),
        "add": lambda: add_tracks(index, paths, jobs=1),
        "remove": lambda: remove_tracks(index, given),
        "update": lambda: update_index(index, paths, jobs=1),
        "compact": lambda: compact_index(index),
        "refit": lambda: compact_index(index, refit=paths, jobs=1),
        "hash": lambda: hash_index(index, paths, jobs=1),
    }[what]()

def again():
    shutil.rmtree(index, ignore_errors=True)
    if old.exists():
        shutil.copytree(old, index)

fitted = []

def fit(read, at, settings, fit=edit.fit):
    # What takes longest is done once, here and not in the children.
    fitted[:] = fitted or [fit(read, at, settings)]
    return fitted[0]

build.fit = edit.fit = fit
again()
act()
for how in ("killed", "full"):
    for moment in range(1000):
        left = 1 << 30
        again()
        child = os.fork()
        if child == 0:
            left = moment
            try:
                act()
            except StreamMatchError as error:
                print(how, "told", error, flush=True)
                os._exit(9)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        left = 1 << 30
        code = os.waitstatus_to_exitcode(status)
        if index.exists():
            shutil.copytree(index, index.with_name(f"{how}-{moment}"))
        print(how, "code", code, flush=True)
        if code == 0:
            break
"""


def broken_at_every_write(what, index, old, *given):
    """For each way: the exit code after each write, where the index as it was left lies, what was told."""
    command = [sys.executable, "-c", BROKEN, what, str(index), str(old), *map(str, given)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=env)
    lines = [line.split(" ", 2) for line in done.stdout.splitlines()]
    walks = {}
    for how in ("killed", "full"):
        codes = [int(words) for one, kind, words in lines if (one, kind) == (how, "code")]
        assert codes[-1] == 0
        assert len(codes) > 8
        left = [index.with_name(f"{how}-{moment}") for moment in range(len(codes))]
        told = [words for one, kind, words in lines if (one, kind) == (how, "told")]
        walks[how] = codes[:-1], left, told
    return walks


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """An index of two songs in two segments, and one removed."""
    folder = tmp_path_factory.mktemp("two")
    files = [write(folder / f"{name}.wav", song(n, 3.0 + (n == 0))) for n, name in enumerate("abc")]
    build_index([files[0], files[2]], folder / "index", jobs=1)
    add_tracks(folder / "index", [files[1]], jobs=1)
    remove_tracks(folder / "index", ["c"])
    return folder / "index"


CHANGES = {
    "replace": ["{new}"],
    "add": ["{new}"],
    "remove": ["a"],
    "remove without locks": ["a"],
    "update": ["{music}/a.wav", "{new}"],
    "compact": [],
    "refit": ["{music}/a.wav", "{music}/b.wav"],
    "hash": ["{music}/a.wav"],
}


@pytest.fixture(scope="module", params=CHANGES)
def walks(request, two, song9, tmp_path_factory):
    """A change that is broken at every write, in each way; the parent of `two` has its music."""
    given = [argument.format(new=song9, music=two.parent) for argument in CHANGES[request.param]]
    return broken_at_every_write(request.param, tmp_path_factory.mktemp("walk") / "index", two, *given)


@pytest.mark.parametrize("how", ["killed", "full"])
def test_broken_at_any_write_leaves_one_of_both_generations_whole(how, walks, two):
    codes, left, told = walks[how]
    assert set(codes) == {-signal.SIGKILL if how == "killed" else 9}
    before, after = read_manifest(two), read_manifest(left[-1])
    generations = []
    for folder in left:
        manifest = read_manifest(folder)
        assert manifest in (before, after)
        generations.append(manifest.generation)
        assert ids(folder) == ids(two if manifest == before else left[-1])
    assert generations == sorted(generations)
    assert generations[0] < generations[-1]
    if how == "full":
        for folder in left:
            assert verify_index(folder) == []
            assert names(folder) == ["MODEL_CARD.md", "manifest.json", "planes", "segments"]
        assert len(told) == len(codes)
        assert {line.split(": ", 1)[1] for line in told} == {"the disk is full; nothing was changed"}
        assert set(generations[:-1]) == {before.generation}
    else:
        for folder in left[::4]:  # what was killed is cleared away by the next one that writes
            compact_index(folder)
            assert verify_index(folder) == []
            assert names(folder) == ["MODEL_CARD.md", "manifest.json", "planes", "segments"]


@pytest.fixture(scope="module")
def first_builds(song9, tmp_path_factory):
    place = tmp_path_factory.mktemp("first")
    return broken_at_every_write("build", place / "index", place / "none", song9)


@pytest.mark.parametrize("how", ["killed", "full"])
def test_a_first_build_that_is_broken_leaves_nothing_or_what_the_next_one_takes_over(
    how, first_builds, song9, monkeypatch
):
    codes, left, _ = first_builds[how]
    planes = open_index(left[-1]).planes
    monkeypatch.setattr(build, "fit", lambda *_: planes)  # as in the children: it takes longest
    for number, folder in enumerate(left[:-1]):
        if how == "full":
            assert not folder.exists()
            continue
        if folder.exists() and not (folder / "manifest.json").exists():
            with pytest.raises(CatalogError, match="is not an index: it has no manifest"):
                load_index(folder)
            if number % 4 == 0:
                build_index([song9], folder, jobs=1)
        if (folder / "manifest.json").exists():
            assert ids(folder) == ["new"]
    assert verify_index(left[-1]) == []
    assert codes


def test_two_writers_at_once_are_told(index, song9):
    with writing(index, lambda: None):
        for change in (lambda: add_tracks(index, [song9]), lambda: compact_index(index)):
            with pytest.raises(CatalogError, match=f"another process .{os.getpid()}."):
                change()
    assert verify_index(index) == []


def without_locks(*_):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


def test_a_file_system_without_locks_has_one_writer_too(index, song9, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", without_locks)
    with writing(index, lambda: None):
        with pytest.raises(CatalogError, match=rf"process {os.getpid()} on .* delete .*\.writer"):
            remove_tracks(index, ["disc 0/song0"])
        assert (index / ".writer").exists()
    remove_tracks(index, ["disc 0/song0"])
    assert len(load_index(index).tracks.named) == 4
    assert verify_index(index) == []
    (index / ".writer").write_text("77 on another")
    with pytest.raises(CatalogError, match="process 77 on another, or was when that was killed"):
        remove_tracks(index, ["disc 0/song2"])
    assert (index / ".writer").exists()
    (index / ".writer").unlink()
    remove_tracks(index, ["disc 0/song2"])


def test_without_locks_a_writer_that_meets_one_just_ending_owns_the_folder(index, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", without_locks)
    ending, locking = lock.one_writer(index), lock._lock
    ending.__enter__()

    def late(*held):
        monkeypatch.setattr(lock, "_lock", locking)
        ending.__exit__(None, None, None)
        return locking(*held)

    monkeypatch.setattr(lock, "_lock", late)
    remove_tracks(index, ["disc 0/song0"])
    assert names(index) == ["MODEL_CARD.md", "manifest.json", "planes", "segments"]


def test_without_locks_a_full_disk_leaves_no_owner(index, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(fcntl, "flock", without_locks)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(CatalogError, match="the disk is full"):
            remove_tracks(index, ["disc 0/song0"])
    assert not (index / ".writer").exists()
    remove_tracks(index, ["disc 0/song0"])


def test_a_lock_that_cannot_be_deleted_does_not_say_that_nothing_was_changed(index, monkeypatch, caplog):
    unlinking = Path.unlink

    def failing(path, **kwargs):
        if path.name == ".lock":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        unlinking(path, **kwargs)

    monkeypatch.setattr(Path, "unlink", failing)
    remove_tracks(index, ["disc 0/song0"])
    assert len(ids(index)) == 4
    assert "could not be deleted: Input/output error" in caplog.text


@pytest.mark.parametrize("what", ["listing", "closing"])
def test_what_breaks_after_the_change_does_not_say_that_nothing_was_changed(index, monkeypatch, caplog, what):
    def failing(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    publishing = writing_module._publish

    def publish(*args):
        publishing(*args)
        place, name = {"listing": (Path, "iterdir"), "closing": (os, "close")}[what]
        patch.setattr(place, name, failing)

    with monkeypatch.context() as patch:
        patch.setattr(writing_module, "_publish", publish)
        remove_tracks(index, ["disc 0/song0"])
    assert len(ids(index)) == 4
    assert "has been changed, but not cleared of what was: Input/output error" in caplog.text


STRANGERS = [".DS_Store", "segments/.DS_Store", "planes/.nfs0001", "segments/notes.txt"]


@pytest.mark.parametrize("name", STRANGERS)
def test_a_strangers_file_does_not_hinder_an_edit_and_stays(index, name):
    (index / name).write_text("mine")
    remove_tracks(index, ["disc 0/song0"])
    compact_index(index)
    assert (index / name).read_text() == "mine"


@pytest.mark.parametrize("half", [True, False])
def test_a_damaged_manifest_can_be_built_again(index, music, half):
    data = (index / "manifest.json").read_bytes()
    (index / "manifest.json").write_bytes(data[: len(data) // 2] if half else b"")
    with pytest.raises(CatalogError, match=r"damaged .*: build it again"):
        load_index(index)
    with pytest.raises(UsageError, match="give --replace"):
        build_index([music], index, jobs=1)
    build_index([music], index, jobs=1, replace=True)
    assert len(ids(index)) == 5
    assert verify_index(index) == []


def test_reading_needs_no_write(index, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    opening = os.open

    def read_only(path, flags, *args, **kwargs):
        return (
            refuse()
            if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            else opening(path, flags, *args, **kwargs)
        )

    monkeypatch.setattr(os, "open", read_only)
    for name in ("mkdir", "rename", "unlink"):
        monkeypatch.setattr(Path, name, refuse)
    monkeypatch.setattr(fcntl, "flock", refuse)
    before = contents(index)
    assert verify_index(index) == []
    load_index(index)
    with pytest.raises(CatalogError, match=r"cannot be written: Read-only file system; nothing was changed"):
        remove_tracks(index, ["disc 0/song0"])
    assert contents(index) == before


def test_an_index_that_is_open_outlives_its_folder(index):
    catalogue = load_index(index)
    before = [catalogue.codes(number).copy() for number in range(5)]
    shutil.rmtree(index)
    for number, codes in enumerate(before):
        assert (catalogue.codes(number) == codes).all()
    with pytest.raises(CatalogError, match="there is no index folder"):
        load_index(index)


def test_a_folder_that_is_half_copied_is_told(built, tmp_path):
    """In any order: what is missing is named, or that it is no index yet."""
    files = sorted(contents(built).items())
    for count in range(len(files)):
        place = tmp_path / f"{count}"
        for name, data in files[:count]:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(data)
        with pytest.raises(CatalogError, match=r"is missing|no index folder|no manifest"):
            load_index(place)


def test_damage_is_mended_by_building_anew(index, music):
    (codes,) = index.rglob("codes.npy")
    data = bytearray(codes.read_bytes())
    data[-1] ^= 1
    codes.write_bytes(data)
    build_index([music], index, jobs=1, replace=True)
    assert verify_index(index) == []


def test_a_segment_that_is_there_already_is_not_written_again(index, music):
    (codes,) = index.rglob("codes.npy")
    before = codes.stat()
    build_index([music], index, jobs=1, replace=True)
    assert read_manifest(index).generation == 2
    assert codes.stat().st_ino == before.st_ino


def test_an_error_in_between_leaves_the_old_one_and_nothing_else(index):
    before = contents(index)

    def half_written(error):
        with writing(index, lambda: None) as draft:
            (draft.new / "manifest.json").write_text("half")
            raise error

    for error in (KeyboardInterrupt(), ValueError("no"), CatalogError("no")):
        with pytest.raises(type(error)):
            half_written(error)
        assert contents(index) == before
        assert names(index) == ["MODEL_CARD.md", "manifest.json", "planes", "segments"]


def test_what_numpy_could_not_write_is_told_as_a_full_disk(index):
    with (
        pytest.raises(CatalogError, match=r"is the disk full\?.*; nothing was changed"),
        writing(index, lambda: None),
    ):
        raise OSError("221184 requested and 52192 written")


def test_a_place_inside_a_file_is_told(tmp_path, song9):
    (tmp_path / "file").touch()
    for place in ("file/x", "file/deep/x"):
        with pytest.raises(CatalogError, match="a part of its path is a file"):
            build_index([song9], tmp_path / place, jobs=1)


def test_a_refusal_happens_before_anything_is_written(tmp_path):
    def check():
        raise UsageError("no")

    with pytest.raises(UsageError), writing(tmp_path / "x", check):
        pass
    assert names(tmp_path) == []


def test_the_root_is_no_place():
    with pytest.raises(UsageError):
        settled(Path("/"))


def test_links_lead_to_the_real_place(tmp_path, song9):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real" / "thing")
    build_index([song9], tmp_path / "link", jobs=1)
    assert (tmp_path / "link").is_symlink()
    assert names(tmp_path / "real") == ["thing"]


@pytest.mark.parametrize("kind", ["segments", "planes"])
def test_a_folder_of_the_users_that_is_called_so_is_not_touched(tmp_path, song9, kind):
    (tmp_path / "out" / kind).mkdir(parents=True)
    (tmp_path / "out" / kind / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"something else .it holds '\w+/mine.txt'"):
        build_index([song9], tmp_path / "out", jobs=1)
    with pytest.raises(UsageError, match="something else"):
        check_place(tmp_path / "out", replace=True)


def test_an_index_of_an_older_format_is_refused_with_what_to_do_and_replaced(tmp_path, song9):
    out = tmp_path / "out"
    out.mkdir()
    (out / "manifest.json").write_text(
        '{"format": "stream_match.index", "format_version": 2, "earliest_compatible_version": 2, '
        '"fingerprint": "36e0eb531e597e7d", "settings": {}}'
    )
    for name in ("neighbours.faiss", "tracks.jsonl", "MODEL_CARD.md"):
        (out / name).write_bytes(b"old")
    with pytest.raises(
        CatalogError, match=rf"format version 2, expected 3: .* index build MUSIC --out {out} --replace"
    ):
        load_index(out)
    with pytest.raises(CatalogError, match="format version 2"):
        remove_tracks(out, ["a"])
    build_index([song9], out, jobs=1, replace=True)
    assert names(out) == ["MODEL_CARD.md", "manifest.json", "planes", "segments"]
    assert verify_index(out) == []
