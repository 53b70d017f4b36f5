import errno
import os
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_match.clips import ClipFolder, clip_name
from stream_match.clips.folder import DAY_S, NAME

NOW = 1_790_000_000.0
GOOD = "kitchen/match-01ab-1.flac"


@pytest.fixture
def folder(tmp_path):
    return ClipFolder(tmp_path / "clips")


def put(folder, name, *, age_days=0.0, size=1000):
    (folder.path / name).parent.mkdir(parents=True, exist_ok=True)
    (folder.path / name).write_bytes(bytes(size))
    os.utime(folder.path / name, (NOW - age_days * DAY_S,) * 2)


def names(folder):
    return sorted(clip.name for clip in folder.clips())


def test_what_is_written_is_found_whole_and_private(folder):
    assert folder.find(GOOD) is None
    folder.write(GOOD, b"audio")
    path = folder.find(GOOD)
    assert path == folder.path / GOOD
    assert path.read_bytes() == b"audio"
    assert stat.S_IMODE(path.stat().st_mode) & 0o027 == 0
    assert stat.S_IMODE(path.parent.stat().st_mode) & 0o027 == 0
    assert names(folder) == [GOOD]
    assert list(path.parent.iterdir()) == [path]


def test_the_clip_of_a_cluster_is_found_in_any_format(folder):
    assert folder.of_sound("kitchen", "01AB-7") is None
    folder.write("kitchen/sound-01ab-7.opus", b"audio")
    assert folder.of_sound("kitchen", "01AB-7") == "kitchen/sound-01ab-7.opus"
    for source, cluster_id in [
        ("..", "01AB-7"),
        ("kitchen", "../01AB-7"),
        ("kitchen/", "\0"),
        ("hall", "01AB-7"),
    ]:
        assert folder.of_sound(source, cluster_id) is None


HOSTILE = [
    "", ".", "..", "/", "//", "../secret.flac", "kitchen/../../secret.flac", "/etc/passwd", "kitchen",
    "kitchen/", "kitchen/.flac", "kitchen/a.FLAC", "kitchen/a.flac\n", "\nkitchen/a.flac", "kitchen/a.flac\0",
    "kitchen/a\0.flac", "kitchen/./a.flac", "./kitchen/a.flac", "kitchen//a.flac", "kitchen\\a.flac",
    "a/b/c.flac", "kitchen/.a.flac.part", "kitchen/a.flac/", "KITCHEN/a.flac", "kitchen/ä.flac",
    "kitchen/%2e%2e.flac", "kitchen/a.wav", "k" * 65 + "/a.flac", "kitchen/" + "a" * 101 + ".flac",
    "kitchen/a.flac.flac", "~/a.flac", "kitchen/\ud800.flac", "CON/a.flac",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_else_is_ever_found_or_written(folder, tmp_path, name):
    (tmp_path / "secret.flac").write_bytes(b"secret")
    folder.write(GOOD, b"audio")
    assert folder.find(name) is None
    with pytest.raises(ValueError, match="no name of a clip"):
        folder.write(name, b"x")
    assert names(folder) == [GOOD]


@given(st.text(max_size=30) | st.from_regex(r"[a-z./\\]{1,20}\.flac", fullmatch=True))
@settings(deadline=None)
def test_no_text_leads_out_of_the_folder(tmp_path_factory, name):
    folder = ClipFolder(tmp_path_factory.getbasetemp() / "nowhere")
    assert folder.find(name) is None
    if NAME.fullmatch(name):
        assert os.path.realpath(folder.path / name).startswith(os.path.realpath(folder.path) + os.sep)


def test_links_are_not_followed(folder, tmp_path):
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "a.flac").write_bytes(b"secret")
    folder.write(GOOD, b"audio")
    (folder.path / "kitchen" / "a.flac").symlink_to(secret / "a.flac")
    (folder.path / "hall").symlink_to(secret)
    (folder.path / "kitchen" / "b.flac").mkdir()
    os.mkfifo(folder.path / "kitchen" / "c.flac")
    for name in ("kitchen/a.flac", "hall/a.flac", "kitchen/b.flac", "kitchen/c.flac"):
        assert folder.find(name) is None
    assert names(folder) == [GOOD]
    with pytest.raises(NotADirectoryError):
        folder.write("hall/new.flac", b"x")
    folder.prune(NOW + 400 * DAY_S, keep_days=1, max_bytes=0)
    assert (secret / "a.flac").read_bytes() == b"secret"
    assert [path.name for path in secret.iterdir()] == ["a.flac"]


def test_a_link_where_a_clip_is_being_written_is_not_followed(folder, tmp_path):
    target = tmp_path / "target"
    target.write_bytes(b"kept")
    folder.write(GOOD, b"audio")
    (folder.path / "kitchen" / ".match-2.flac.part").symlink_to(target)
    with pytest.raises(OSError, match="exists"):
        folder.write("kitchen/match-2.flac", b"x")
    assert target.read_bytes() == b"kept"


def test_a_full_disk_leaves_nothing_half_written(folder, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        folder.write(GOOD, b"audio")
    assert [path for path in folder.path.rglob("*") if path.is_file()] == []


def test_what_a_killed_process_was_writing_is_cleared_and_nothing_else(folder):
    folder.write(GOOD, b"audio")
    part = folder.path / "kitchen" / ".match-01ab-2.flac.part"
    foreign = [folder.path / "kitchen" / ".notes.part", folder.path / "kitchen" / "diary.txt"]
    for path in (part, *foreign):
        path.write_bytes(b"x")
    assert folder.clear() == 1
    assert not part.exists()
    assert all(path.exists() for path in foreign)
    assert ClipFolder(folder.path / "missing").clear() == 0


def test_clips_are_deleted_by_age_then_orphans_then_the_oldest_of_too_many(folder):
    for age_days in (40, 20, 9, 3, 2, 1):
        put(folder, f"s{age_days}/match-{age_days}.flac", age_days=age_days)
    (folder.path / "s1" / "diary.txt").write_bytes(b"x" * 5000)
    pruned = folder.prune(NOW, keep_days=30, max_bytes=2500, events_since=NOW - 10 * DAY_S)
    assert (pruned.old, pruned.orphans, pruned.excess, pruned.bytes) == (1, 1, 2, 2000)
    assert names(folder) == ["s1/match-1.flac", "s2/match-2.flac"]
    assert sorted(path.name for path in folder.path.iterdir()) == ["s1", "s2"]  # no empty folders
    assert (folder.path / "s1" / "diary.txt").exists()


def test_without_a_store_no_clip_is_an_orphan(folder):
    put(folder, GOOD, age_days=20)
    assert folder.prune(NOW, keep_days=30, max_bytes=10**9).orphans == 0
    assert names(folder) == [GOOD]


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 3000)), max_size=12),
    st.integers(1, 60),
    st.integers(0, 12_000),
)
@settings(deadline=None)
def test_what_is_left_is_never_too_old_or_too_much_and_never_less_than_needed(clips, keep_days, max_bytes):
    with tempfile.TemporaryDirectory() as name:
        folder = ClipFolder(Path(name))
        for number, (age_days, size) in enumerate(clips):
            put(folder, f"s/c{number:02}.flac", age_days=age_days, size=size)
        pruned = folder.prune(NOW + 1, keep_days=keep_days, max_bytes=max_bytes)
        left = {clip.name: clip for clip in folder.clips()}
    young = [(age, f"s/c{n:02}.flac", size) for n, (age, size) in enumerate(clips) if age < keep_days]
    expected, total = set(), 0
    for _, clip, size in sorted(young, key=lambda one: (one[0], [-ord(c) for c in one[1]])):
        total += size
        if total > max_bytes:
            break
        expected.add(clip)
    assert set(left) == expected
    assert pruned.bytes == sum(clip.bytes for clip in left.values()) <= max_bytes


@pytest.mark.parametrize(
    ("id_", "name"),
    [
        ("01JABC-1", "kitchen/match-01jabc-1.flac"),
        ("../x", None), ("", "kitchen/match-.flac"), ("a b", None), ("a/b", None), ("a\0", None), ("é", None),
        ("x" * 200, None),
    ],
)  # fmt: skip
def test_names_are_made_of_ids_that_are_safe(id_, name):
    assert clip_name("kitchen", "match", id_, "flac") == name
    assert clip_name("../kitchen", "match", "1", "flac") is None
