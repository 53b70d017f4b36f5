"""The part for counting: made from audio, kept through every change, refused where it leads astray."""

import errno
import json
import logging
import os
import shutil

import numpy as np
import pytest
from catalog_samples import RATE_HZ, contents, resign, sha256, song, write

from stream_match.capture.file import read_blocks
from stream_match.catalog import (
    add_tracks,
    build_index,
    compact_index,
    describe_index,
    hash_index,
    list_tracks,
    load_index,
    lsh_counts,
    remove_tracks,
    store,
    update_index,
    verify_index,
)
from stream_match.catalog.lsh_counts import KEY_BITS, N_TABLES, load_lsh_counts
from stream_match.errors import CatalogError, SourceError, UsageError
from stream_match.features.centred_chroma import N_FFT_SAMPLES, centred_chroma
from stream_match.index.bucket_counts import count_buckets

FILES = ("bucket_planes.npy", "bucket_counts.npy", "hashed.jsonl")


@pytest.fixture(scope="module")
def hashed_once(built, music, tmp_path_factory):
    """An index with the part; not to be changed."""
    index = shutil.copytree(built, tmp_path_factory.mktemp("hashed") / "index")
    hash_index(index, [music], jobs=1)
    return index


@pytest.fixture
def hashed(hashed_once, tmp_path):
    return shutil.copytree(hashed_once, tmp_path / "index")


def manifest_of(index):
    return json.loads((index / "manifest.json").read_text())


def part_of(index):
    """What the manifest says of the part, and its folder."""
    entry = manifest_of(index)["parts"]["lsh_counts"]
    return entry, index / "planes" / entry["folder"]


def test_it_counts_the_frames_of_every_track(hashed, built, music):
    index, part = load_lsh_counts(hashed)
    assert [row.id for row in part.rows] == [row.id for row in list_tracks(built)]
    assert part.columns(index) == list(range(5))
    assert part.counts.shape == (N_TABLES, 2**KEY_BITS, 5)
    for number, row in enumerate(part.rows):
        chroma = np.concatenate(list(centred_chroma(read_blocks(music / f"{row.id}.wav"), RATE_HZ)))
        assert row.frames == int(chroma.any(axis=1).sum()) > 10
        expected = count_buckets(chroma, part.planes, N_TABLES)
        np.testing.assert_array_equal(part.counts[:, :, number], expected)


def test_it_stands_beside_an_index_that_is_otherwise_as_it_was(hashed, built):
    before, after = contents(built), contents(hashed)
    assert {name: data for name, data in after.items() if name in before and "/" in name} == {
        name: data for name, data in before.items() if "/" in name
    }
    one, other = manifest_of(built), manifest_of(hashed)
    assert "lsh_counts" not in one["parts"]
    entry = other["parts"].pop("lsh_counts")
    assert sorted(entry["files"]) == sorted(FILES)
    assert (entry["version"], entry["lsh"]) == (1, {"tables": 4, "key_bits": 8})
    for of in (one, other):
        del of["sha256"], of["generation"]
    assert one == other
    assert verify_index(hashed) == []
    info = describe_index(hashed)
    assert info.parts == {**describe_index(built).parts, "lsh_counts": 1}
    assert info.bytes > describe_index(built).bytes + 5 * 4096


def test_equal_files_give_equal_bytes_on_however_many_cores(built, music, hashed, tmp_path):
    other = shutil.copytree(built, tmp_path / "other")
    hash_index(other, [music], jobs=2)
    assert contents(other) == contents(hashed)


def test_a_second_time_nothing_is_read_or_written(hashed, music):
    before = contents(hashed)
    report = hash_index(hashed, [music], jobs=1)
    assert (report.hashed, report.kept, report.lacking, report.audio_s) == (0, 5, (), 0)
    assert contents(hashed) == before


def test_what_was_added_is_hashed_later_and_alone(hashed, tmp_path):
    new = write(tmp_path / "new.wav", song(9, 3.0))
    before = part_of(hashed)
    add_tracks(hashed, [new], jobs=1)
    assert part_of(hashed) == before
    _, part = load_lsh_counts(hashed)
    assert "new" not in [row.id for row in part.rows]
    report = hash_index(hashed, [new], jobs=1)
    assert (report.hashed, report.kept, report.lacking) == (1, 5, ())
    assert report.audio_s == pytest.approx(3.0, abs=0.01)
    index, part = load_lsh_counts(hashed)
    assert len(part.columns(index)) == len(part.rows) == 6
    assert [row.id for row in part.rows] == sorted(row.id for row in part.rows)
    assert not before[1].exists()
    assert verify_index(hashed) == []


def test_parts_made_in_one_go_or_in_two_are_the_same(hashed, music, tmp_path):
    """By the ids; the segments differ."""
    both = tmp_path / "both"
    shutil.copytree(music, both)
    write(both / "disc 0" / "song9.wav", song(9, 3.0))
    update_index(hashed, [both], jobs=1)
    hash_index(hashed, [both], jobs=1)
    build_index([both], tmp_path / "new", jobs=1)
    hash_index(tmp_path / "new", [both], jobs=1)
    assert part_of(hashed)[0] == part_of(tmp_path / "new")[0]


def removed(index, music):
    remove_tracks(index, ["disc 0/song0"])
    return 4


def compacted(index, music):
    removed(index, music)
    compact_index(index)
    return 4


def refitted(index, music):
    compact_index(index, refit=[music], jobs=1)
    return 5


@pytest.mark.parametrize("change", [removed, compacted, refitted])
def test_a_change_keeps_it_and_tracks_that_are_gone_are_not_told(hashed, music, change):
    before = part_of(hashed)
    left = change(hashed, music)
    assert part_of(hashed) == before
    assert verify_index(hashed) == []
    index, part = load_lsh_counts(hashed)
    assert len(part.columns(index)) == left


def test_what_is_gone_leaves_with_the_next_hashing(hashed, tmp_path):
    remove_tracks(hashed, ["disc 0/song0"])
    new = write(tmp_path / "new.wav", song(9, 3.0))
    add_tracks(hashed, [new], jobs=1)
    hash_index(hashed, [new], jobs=1)
    index, part = load_lsh_counts(hashed)
    assert len(part.rows) == 5
    assert "disc 0/song0" not in [row.id for row in part.rows]
    assert part.columns(index) == list(range(5))


def test_a_track_of_another_file_is_hashed_again(hashed, music, tmp_path):
    other = shutil.copytree(music, tmp_path / "music")
    write(other / "disc 0" / "song0.wav", song(8, 6.0))
    report = hash_index(hashed, [other], jobs=1)  # the index has the old one, and so has the part
    assert (report.hashed, report.kept) == (0, 5)
    update_index(hashed, [other], jobs=1)
    index, part = load_lsh_counts(hashed)
    assert len(part.columns(index)) == 4
    assert hash_index(hashed, [other], jobs=1).hashed == 1
    index, part = load_lsh_counts(hashed)
    assert len(part.columns(index)) == len(part.rows) == 5


def test_a_file_that_has_changed_since_is_skipped_and_named(index, music, tmp_path):
    other = shutil.copytree(music, tmp_path / "music")
    changed = write(other / "disc 0" / "song0.wav", song(8, 6.0))
    report = hash_index(index, [other], jobs=1)
    assert (report.hashed, report.lacking) == (4, ("disc 0/song0",))
    (skipped,) = report.skipped
    assert skipped == (
        changed,
        f"{str(changed)!r} has changed since the index took it in: run stream-match index update",
    )


def test_what_has_no_audio_here_is_named_and_strangers_are_counted(index, music, tmp_path):
    some = shutil.copytree(music, tmp_path / "music")
    (some / "disc 1" / "song1.wav").unlink()
    write(some / "of nobody.wav", song(8, 3.0))
    report = hash_index(index, [some], jobs=1)
    assert (report.hashed, report.lacking) == (4, ("disc 1/song1",))
    assert report.ignored == ("1 file that the index has no track of",)
    assert report.skipped == ()


def test_audio_of_nothing_in_the_index_is_refused(index, tmp_path):
    before = contents(index)
    stranger = write(tmp_path / "stranger.wav", song(8, 3.0))
    with pytest.raises(UsageError, match=r"none of the tracks of .* give the paths that the index was built"):
        hash_index(index, [stranger], jobs=1)
    folder = write(tmp_path / "music" / "disc 0" / "song0.wav", song(0, 4.0)).parents[1]
    with pytest.raises(UsageError, match="jobs is 0"):
        hash_index(index, [folder], jobs=0)
    assert contents(index) == before


def test_where_nothing_can_be_hashed_nothing_is_written(index, tmp_path):
    before = contents(index)
    (tmp_path / "music" / "disc 0").mkdir(parents=True)
    (tmp_path / "music" / "disc 0" / "song0.wav").write_bytes(b"RIFF, but no more")
    with pytest.raises(CatalogError, match=r"no track could be hashed: '.*song0\.wav'"):
        hash_index(index, [tmp_path / "music"], jobs=1)
    assert contents(index) == before


@pytest.mark.parametrize("n", [1, N_FFT_SAMPLES - 1])
def test_a_file_shorter_than_a_frame_is_told(hashed, tmp_path, n):
    from stream_match.catalog.hashing import count_file

    _, part = load_lsh_counts(hashed)
    short = write(tmp_path / "short.wav", song(1, 1.0)[:n])
    with pytest.raises(SourceError, match=r"short\.wav' has 0\.\d\d s, expected a frame of 0\.19 s at least"):
        count_file(short, part.planes, part.n_tables)
    long = write(tmp_path / "long.wav", song(1, 1.0)[:N_FFT_SAMPLES])
    assert count_file(long, part.planes, part.n_tables).frames == 2


def test_an_index_without_it_says_how_to_add_it(index):
    with pytest.raises(
        UsageError, match=rf"has no LSH counts: add them with stream-match index hash {index}"
    ):
        load_lsh_counts(index)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("harm", ["altered", "cut", "missing", "link"])
def test_damage_is_told_with_what_helps_and_listening_goes_on(hashed, music, tmp_path, name, harm):
    path = part_of(hashed)[1] / name
    data = path.read_bytes()
    path.unlink()
    if harm == "link":
        (tmp_path / "elsewhere").write_bytes(data)
        path.symlink_to(tmp_path / "elsewhere")
    elif harm != "missing":
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]) if harm == "altered" else data[:-7])
    with pytest.raises(CatalogError, match=rf"{name}' .*: make it anew with stream-match index hash"):
        load_lsh_counts(hashed)
    (problem,) = verify_index(hashed)
    assert name in problem
    assert "make it anew with stream-match index hash" in problem
    assert len(load_index(hashed).tracks.named) == 5
    report = hash_index(hashed, [music], jobs=1)
    assert (report.hashed, report.kept) == (5, 0)
    assert verify_index(hashed) == []
    assert path.read_bytes() == data


def resigned(index, name, data):
    """Put other contents into a file of the part, with a manifest that agrees."""
    _, folder = part_of(index)
    (folder / name).write_bytes(data)
    file = {"bytes": len(data), "sha256": sha256(data)}
    resign(index, lambda m: m["parts"]["lsh_counts"]["files"].update({name: file}))


def array(tmp_path, values):
    np.save(tmp_path / "array.npy", values)
    return (tmp_path / "array.npy").read_bytes()


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("bucket_counts.npy", np.zeros((4, 256, 5), np.uint32), "contradicts hashed"),
        ("bucket_counts.npy", np.zeros((4, 256, 4), np.uint32), r"expected uint32\(4, 256, 5\)"),
        ("bucket_counts.npy", np.zeros((4, 256, 5), np.float64), "expected uint32"),
        ("bucket_planes.npy", np.full((12, 32), np.nan, np.float32), "are not finite"),
        ("bucket_planes.npy", np.zeros((12, 24), np.float32), r"expected float32\(12, 32\)"),
        ("bucket_planes.npy", np.array([object()]), "is not an array"),
        ("hashed.jsonl", b'{"id": "a"}\n', r"is damaged \(field sha256 is missing\)"),
        ("hashed.jsonl", b"\xff\n", "is damaged"),
    ],
)
def test_what_leads_astray_is_refused_though_its_hash_is_right(hashed, tmp_path, name, values, told):
    resigned(hashed, name, values if isinstance(values, bytes) else array(tmp_path, values))
    with pytest.raises(CatalogError, match=rf"{told}.*: make it anew with"):
        load_lsh_counts(hashed)
    assert any("make it anew with" in problem for problem in verify_index(hashed))


def test_a_track_named_twice_is_refused(hashed):
    line = (part_of(hashed)[1] / "hashed.jsonl").read_bytes().splitlines(keepends=True)[0]
    resigned(hashed, "hashed.jsonl", 5 * line)
    with pytest.raises(CatalogError, match=r"hashed\.jsonl' names a track twice: make it anew"):
        load_lsh_counts(hashed)


def test_a_file_that_the_manifest_says_nothing_of_is_not_opened(hashed):
    resign(hashed, lambda m: m["parts"]["lsh_counts"]["files"].pop("hashed.jsonl"))
    with pytest.raises(CatalogError, match=r"hashed\.jsonl' is not in the manifest: make it anew"):
        load_lsh_counts(hashed)


def test_a_later_version_is_neither_read_nor_replaced(hashed, music):
    resign(hashed, lambda m: m["parts"]["lsh_counts"].update(version=2))
    before = contents(hashed)
    for change in (lambda: load_lsh_counts(hashed), lambda: hash_index(hashed, [music], jobs=1)):
        with pytest.raises(CatalogError, match=r"LSH counts of .* have version 2, .* reads 1: take a newer"):
            change()
    assert contents(hashed) == before
    assert len(load_index(hashed).tracks.named) == 5
    remove_tracks(hashed, ["disc 0/song0"])
    assert part_of(hashed)[0] == json.loads(before["manifest.json"])["parts"]["lsh_counts"]
    assert part_of(hashed)[1].is_dir()


def test_what_the_system_refuses_is_a_sentence(hashed, monkeypatch):
    def no_more(*_, **__):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), "bucket_counts.npy")

    monkeypatch.setattr("stream_match.catalog.lsh_counts.map_array", no_more)
    with pytest.raises(CatalogError, match=r"^'bucket_counts\.npy' cannot be read: Too many open files$"):
        load_lsh_counts(hashed)


def test_a_reader_is_not_disturbed_by_a_part_that_is_replaced(hashed, tmp_path, monkeypatch):
    """The folder that a manifest names may go between reading it and opening the folder."""
    new = write(tmp_path / "new.wav", song(9, 3.0))
    add_tracks(hashed, [new], jobs=1)
    opened, replaced = lsh_counts.open_lsh_counts, []

    def open_late(index):
        if not replaced:
            replaced.append(True)
            hash_index(hashed, [new], jobs=1)
        return opened(index)

    monkeypatch.setattr(lsh_counts, "open_lsh_counts", open_late)
    index, part = load_lsh_counts(hashed)
    assert len(part.columns(index)) == 6


def test_a_reader_of_what_is_replaced_again_and_again_gives_up(hashed, monkeypatch):
    tried = []

    def replaced(index):
        tried.append(index.manifest.generation)
        resign(hashed, lambda manifest: manifest.update(generation=manifest["generation"] + 1))
        raise CatalogError("is missing")

    monkeypatch.setattr(lsh_counts, "open_lsh_counts", replaced)
    with pytest.raises(CatalogError, match="is missing"):
        load_lsh_counts(hashed)
    assert len(set(tried)) == store._ATTEMPTS


def test_a_damaged_part_is_told_when_it_is_made_anew(hashed, music, caplog):
    (part_of(hashed)[1] / "hashed.jsonl").unlink()
    with caplog.at_level(logging.WARNING):
        hash_index(hashed, [music], jobs=1)
    (record,) = caplog.records
    assert record.message.startswith("all tracks are hashed again: '")
