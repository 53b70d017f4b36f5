"""A folder is replaced as a whole, whoever is killed when."""

import errno
import os
import signal
import subprocess
import sys

import pytest

from stream_match.catalog import swap
from stream_match.catalog.swap import recover, replacing, settled
from stream_match.errors import CatalogError, UsageError


def replace_by(folder, text, check=lambda: None):
    with replacing(folder, check) as staging:
        (staging.work / "scratch").write_text("…")
        (staging.new / "text").write_text(text)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def read(folder):
    recover(folder)
    return (folder / "text").read_text()


@pytest.fixture
def folder(tmp_path):
    return settled(tmp_path / "deep" / "thing")


def test_a_new_folder_and_a_replaced_one(folder):
    for text in ["one", "two"]:
        replace_by(folder, text)
        assert read(folder) == text
        assert names(folder.parent) == ["thing"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("no"), CatalogError("no")])
def test_an_error_leaves_the_old_one_and_nothing_else(folder, error):
    replace_by(folder, "old")
    with pytest.raises(type(error)):  # noqa: SIM117, PT012 - the inner block raises
        with replacing(folder, lambda: None) as staging:
            (staging.new / "text").write_text("half")
            raise error
    assert read(folder) == "old"
    assert names(folder.parent) == ["thing"]


@pytest.mark.parametrize(
    ("number", "said"), [(errno.ENOSPC, "the disk is full"), (errno.EIO, "Input/output")]
)
def test_a_failing_disk_is_one_sentence(folder, number, said):
    replace_by(folder, "old")
    with pytest.raises(CatalogError, match=f"{said}.*; nothing was changed"):  # noqa: SIM117 - the inner block raises
        with replacing(folder, lambda: None):
            raise OSError(number, os.strerror(number))
    assert read(folder) == "old"


def test_what_numpy_could_not_write_is_told_as_a_full_disk(folder):
    replace_by(folder, "old")
    with pytest.raises(CatalogError, match=r"is the disk full\?.*; nothing was changed"):  # noqa: SIM117 - the inner block raises
        with replacing(folder, lambda: None):
            raise OSError("221184 requested and 52192 written")
    assert read(folder) == "old"


def test_a_place_inside_a_file_is_told(tmp_path):
    (tmp_path / "file").touch()
    for place in ("file/x", "file/deep/x"):
        with pytest.raises(CatalogError, match="a part of its path is a file"):
            replace_by(settled(tmp_path / place), "new")


def test_a_refusal_happens_before_anything_is_written(folder):
    def check():
        assert names(folder.parent) == [".thing.lock"]
        raise UsageError("no")

    with pytest.raises(UsageError):
        replace_by(folder, "new", check)
    assert names(folder.parent) == []


def test_a_failing_second_rename_puts_the_old_one_back(folder, monkeypatch):
    replace_by(folder, "old")
    rename = swap.Path.rename

    def fail(path, target):
        if path.name == "new":
            raise OSError(errno.EIO, "no")
        return rename(path, target)

    monkeypatch.setattr(swap.Path, "rename", fail)
    with pytest.raises(CatalogError, match="nothing was changed"):
        replace_by(folder, "new")
    assert names(folder.parent) == ["thing"]
    assert read(folder) == "old"


def test_two_writers_at_once_are_told(folder):
    with replacing(folder, lambda: None) as staging:
        with pytest.raises(CatalogError, match=f"another process .{os.getpid()}."):
            replace_by(folder, "second")
        (staging.new / "text").write_text("first")
    assert read(folder) == "first"


KILLED = """
import os, pathlib, shutil, signal, sys
from stream_match.catalog.swap import recover, replacing, settled

folder = settled(pathlib.Path(sys.argv[1]))
left = 1000

def deadly(function):
    def called(*args, **kwargs):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return called

def write(text):
    with replacing(folder, lambda: None) as staging:
        (staging.new / "text").write_text(text)

for place, name in [(pathlib.Path, "rename"), (pathlib.Path, "mkdir"), (pathlib.Path, "unlink"),
                    (os, "fsync"), (os, "rmdir"), (shutil, "rmtree")]:
    setattr(place, name, deadly(getattr(place, name)))
for moment in range(100):
    left = 1000
    write("old")
    child = os.fork()
    if child == 0:
        left = moment
        write("new")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    recover(folder)
    print((folder / "text").read_text(), os.waitstatus_to_exitcode(status))
    if status == 0:
        break
write("last")
"""


def test_killed_at_any_moment_leaves_one_of_both_whole(folder):
    command = [sys.executable, "-c", KILLED, str(folder)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    seen = [tuple(line.split()) for line in lines]
    assert seen[-1] == ("new", "0")
    assert {code for _, code in seen[:-1]} == {str(-signal.SIGKILL)}
    texts = [text for text, _ in seen]
    assert len(texts) > 10
    assert texts == sorted(texts, reverse=True)  # old ones, then new ones
    assert read(folder) == "last"
    assert names(folder.parent) == ["thing"]


def test_between_the_renames_the_old_one_is_put_back(folder):
    replace_by(folder, "old")
    folder.rename(folder.with_name(".thing.replaced"))
    assert read(folder) == "old"
    assert names(folder.parent) == ["thing"]


def test_a_reader_waits_for_a_writer_and_then_gives_up(folder, monkeypatch):
    monkeypatch.setattr(swap, "_SWAP_TAKES_S", 0.05)
    replace_by(folder, "old")
    with replacing(folder, lambda: None) as staging:
        (staging.new / "text").write_text("new")
        folder.rename(folder.with_name(".thing.replaced"))
        with pytest.raises(CatalogError, match="being written"):
            recover(folder)
    assert read(folder) == "new"


def test_the_root_is_no_place():
    with pytest.raises(UsageError):
        settled(swap.Path("/"))


def test_links_lead_to_the_real_place(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real" / "thing")
    replace_by(settled(tmp_path / "link"), "new")
    assert (tmp_path / "link").is_symlink()
    assert names(tmp_path / "real") == ["thing"]
