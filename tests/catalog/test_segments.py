"""Segments: how many there come to be, which tracks are copies over them, and what is refused in them."""

import errno
import mmap
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import faiss
import numpy as np
import pytest
from catalog_samples import contents, resign, sha256, song, write

from stream_match.catalog import (
    add_tracks,
    build_index,
    compact_index,
    describe_index,
    edit,
    list_tracks,
    load_index,
    remove_tracks,
    verify_index,
)
from stream_match.catalog.store import open_index
from stream_match.errors import CatalogError
from stream_match.index import faiss_index


def sizes(index):
    return [segment.tracks for segment in describe_index(index).segments]


def test_segments_stay_few_however_often_something_is_added(tmp_path):
    files = [write(tmp_path / f"{number:02}.wav", song(number, 3.0)) for number in range(10)]
    build_index(files[:1], tmp_path / "index", jobs=1)
    seen = []
    for file in files[1:]:
        add_tracks(tmp_path / "index", [file], jobs=1)
        seen.append(sizes(tmp_path / "index"))
    assert seen == [[2], [2, 1], [4], [4, 1], [4, 2], [4, 2, 1], [8], [8, 1], [8, 2]]
    assert describe_index(tmp_path / "index").generation == 10
    assert [row.id for row in list_tracks(tmp_path / "index")] == [f"{number:02}" for number in range(10)]
    assert verify_index(tmp_path / "index") == []


def test_large_segments_are_not_written_again(tmp_path, monkeypatch):
    files = [write(tmp_path / f"{number}.wav", song(number, 3.0)) for number in range(3)]
    monkeypatch.setattr(edit, "MERGED_UP_TO", 1)
    build_index(files[:1], tmp_path / "index", jobs=1)
    for file in files[1:]:
        add_tracks(tmp_path / "index", [file], jobs=1)
    assert sizes(tmp_path / "index") == [1, 1, 1]


def test_what_is_taken_in_leaves_what_was_removed_behind(index, tmp_path):
    remove_tracks(index, ["disc 0/song0", "disc 0/song2", "disc 0/song4"])
    assert sizes(index) == [5]
    add_tracks(index, [write(tmp_path / "long.wav", song(9, 20.0))], jobs=1)
    assert sizes(index) == [3]
    assert describe_index(index).removed_share == 0


def test_a_segment_of_which_nothing_is_left_is_gone(index, tmp_path):
    add_tracks(index, [write(tmp_path / "new.wav", song(9, 3.0))], jobs=1)
    assert sizes(index) == [5, 1]
    remove_tracks(index, ["new"])
    assert sizes(index) == [5]
    assert verify_index(index) == []


def groups(index):
    """Ids of the tracks that hold one recording, where these are several."""
    tracks = open_index(index).catalogue.tracks
    found = {}
    for number, track in enumerate(tracks.named):
        found.setdefault(int(tracks.recording_of(np.array([number]))[0]), []).append(track.id)
    return sorted(sorted(group) for group in found.values() if len(group) > 1)


def test_copies_are_found_when_they_are_added(tmp_path):
    y = {name: song(number, 12.0) for number, name in enumerate("abc")}
    index = tmp_path / "index"
    build_index([write(tmp_path / f"{name}.wav", y[name]) for name in "abc"], index, jobs=1)
    assert groups(index) == []
    add_tracks(index, [write(tmp_path / "a2.wav", 0.5 * y["a"])], jobs=1)
    assert groups(index) == [["a", "a2"]]
    add_tracks(index, [write(tmp_path / f"{name}.wav", y[name[0]] * 0.7) for name in ("a3", "b2")], jobs=1)
    expected = [["a", "a2", "a3"], ["b", "b2"]]
    assert groups(index) == expected
    compact_index(index)
    assert groups(index) == expected
    remove_tracks(index, ["a"])  # which the others were found to be copies of
    assert groups(index) == [["a2", "a3"], ["b", "b2"]]
    build_index(
        [tmp_path / f"{name}.wav" for name in ("a", "a2", "a3", "b", "b2", "c")], tmp_path / "anew", jobs=1
    )
    assert groups(tmp_path / "anew") == expected
    copies = {row.id: row.copies for row in list_tracks(tmp_path / "anew")}
    assert copies["a"] == copies["b"] == copies["c"] == ()
    assert copies["a2"] == copies["a3"] == (sha256((tmp_path / "a.wav").read_bytes()),)


def test_one_that_is_a_copy_of_two_joins_them(tmp_path):
    """As long as it is there: alone they do not resemble each other."""
    one, other = song(1, 10.0), song(2, 10.0)
    index = tmp_path / "index"
    files = [write(tmp_path / "one.wav", one), write(tmp_path / "other.wav", other)]
    build_index(files, index, jobs=1)
    assert groups(index) == []
    add_tracks(index, [write(tmp_path / "both.wav", np.concatenate([one, other]))], jobs=1)
    if groups(index) == [["both", "one", "other"]]:
        remove_tracks(index, ["both"])
        assert groups(index) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda entry: entry.update(folder="../../etc"), "segments.0.folder"),
        (lambda entry: entry.update(folder="ABCDEF0123456789"), "segments.0.folder"),
        (lambda entry: entry.update(folder="0123456789abcdef"), "is missing"),
        (lambda entry: entry.update(removed=[5]), "removed names tracks that do not exist"),
        (lambda entry: entry.update(removed=[1, 1]), "removed is not in order"),
        (lambda entry: entry.update(removed=[-1]), "removed"),
        (lambda entry: entry.update(removed=[0]), "contradicts itself"),
        (lambda entry: entry.update(tracks=1 << 31, removed=[1 << 30]), "contradicts itself"),
        (lambda entry: entry.update(codes=1 << 31), "contradicts itself"),
        (lambda entry: entry.update(hashed=1), "expected"),
        (lambda entry: entry["lsh"].update(key_bits=24), "expected"),
        (lambda entry: entry["lsh"].update(key_bits=60), "key_bits"),
        (lambda entry: entry["lsh"].update(tables=0), "tables"),
        (lambda entry: entry["parts"].pop("recordings"), "recordings is missing"),
        (lambda entry: entry["parts"]["recordings"]["files"].pop("codes.npy"), "says nothing of"),
        (lambda entry: entry["parts"]["recordings"]["files"].clear(), "says nothing of"),
        (
            lambda entry: entry["parts"]["recordings"]["files"].update(
                {"../codes.npy": {"bytes": 1, "sha256": "0" * 64}}
            ),
            "files",
        ),
        (
            lambda entry: entry["parts"]["recordings"]["files"]["codes.npy"].update(bytes=1 << 60),
            "bytes",
        ),
    ],
)
def test_a_hostile_segment_is_refused(index, change, message):
    resign(index, lambda manifest: change(manifest["segments"][0]))
    with pytest.raises(CatalogError, match=message) as caught:
        load_index(index)
    assert "\n" not in str(caught.value)
    assert verify_index(index)


def test_a_segment_named_twice_is_refused(index):
    resign(index, lambda manifest: manifest["segments"].append(manifest["segments"][0]))
    with pytest.raises(CatalogError, match="a segment is named twice"):
        load_index(index)


def test_a_manifest_that_was_edited_by_hand_is_refused(index):
    text = (index / "manifest.json").read_text()
    (index / "manifest.json").write_text(text.replace('"generation": 1', '"generation": 2'))
    with pytest.raises(CatalogError, match="has been altered"):
        load_index(index)


def test_a_segment_behind_a_link_is_not_followed(index, tmp_path):
    (segment,) = (index / "segments").iterdir()
    segment.rename(tmp_path / "elsewhere")
    segment.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CatalogError, match="behind a link"):
        load_index(index)


def test_above_a_size_contents_are_left_to_verify(index, monkeypatch):
    (codes,) = index.rglob("codes.npy")
    data = bytearray(codes.read_bytes())
    data[-1] ^= 1
    codes.write_bytes(data)
    monkeypatch.setattr("stream_match.catalog.store.CHECKED_UP_TO_BYTES", 1000)
    load_index(index)
    assert "codes.npy' has been altered" in verify_index(index)[0]


def test_rows_that_do_not_exist_harm_nobody_where_they_are_not_looked_for(index, music, monkeypatch):
    """A large index whose tables were forged: what they name is taken for the last row."""
    monkeypatch.setattr("stream_match.catalog.store.CHECKED_UP_TO_BYTES", 1000)
    (path,) = index.rglob("lsh_entries.npy")
    entries = np.load(path)
    entries[:] = (1 << 32) - 1
    np.save(path, entries)
    catalogue = load_index(index)
    first, chroma_codes = catalogue.chroma_codes(0)
    hits = catalogue.propose(catalogue.codes(0)[first], chroma_codes)[1]
    own = hits.track < 5
    assert own.any()
    assert (hits.position[own] < catalogue.tracks.length[hits.track[own]]).all()


@pytest.mark.parametrize("name", ["neighbours.faiss", "shingles.faiss"])
@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENOMEM])
def test_lists_that_the_system_does_not_let_us_map_are_told_so(tmp_path, monkeypatch, name, code):
    """FAISS says only that it failed."""
    path = tmp_path / name
    path.write_bytes(b"whatever")
    load = {
        "neighbours.faiss": partial(faiss_index.load_lists, n_codes=1, n_bits=256),
        "shingles.faiss": partial(faiss_index.load_shingles, n_shingles=1),
    }[name]
    with pytest.raises(CatalogError, match="is not an index that FAISS can read"):
        load(str(path))

    def failing(*_args, **_kwargs):
        raise OSError(code, os.strerror(code))

    if code == errno.ENOMEM:
        monkeypatch.setattr(mmap, "mmap", failing)
    else:
        monkeypatch.setattr(Path, "open", failing)
    with pytest.raises(OSError, match=os.strerror(code)):
        load(str(path))


def test_counts_that_contradict_each_other_are_told_where_nobody_has_looked(index, tmp_path, monkeypatch):
    monkeypatch.setattr("stream_match.catalog.store.CHECKED_UP_TO_BYTES", 1000)
    (path,) = index.rglob("audible.npy")
    audible = np.load(path)
    audible[:50] = False
    np.save(path, audible)
    load_index(index)
    before = contents(index)
    long = write(tmp_path / "long.wav", song(9, 60.0))
    for change in (lambda: add_tracks(index, [long], jobs=1), lambda: compact_index(index)):
        with pytest.raises(CatalogError, match=r"contradicts itself .counts.: build the index again"):
            change()
    assert contents(index) == before


@pytest.fixture(scope="module")
def with_lists(tmp_path_factory):
    """An index that is searched by inverted lists."""
    folder = tmp_path_factory.mktemp("lists")
    with pytest.MonkeyPatch.context() as patch:
        few = partial(faiss_index.build_faiss, flat_up_to=100)
        patch.setattr("stream_match.index.faiss_index.build_faiss", few)
        build_index([write(folder / "a.wav", song(1, 60.0))], folder / "index", jobs=1)
    return folder / "index"


def forged(folder, data):
    """Lists with other bytes, and a manifest that agrees."""
    (path,) = folder.rglob("neighbours.faiss")
    path.write_bytes(data)
    entry = {"bytes": len(data), "sha256": sha256(data)}
    resign(
        folder, lambda m: m["segments"][0]["parts"]["recordings"]["files"].update({"neighbours.faiss": entry})
    )


def test_lists_that_end_beyond_their_file_are_refused(with_lists, tmp_path):
    """Searching them would end the process."""
    (path,) = with_lists.rglob("neighbours.faiss")
    data = path.read_bytes()
    for count, kept in enumerate([len(data) // 2, len(data) - 8 * 256, len(data) - 1, 0, 100]):
        index = shutil.copytree(with_lists, tmp_path / f"{count}")
        forged(index, data[:kept])
        with pytest.raises(CatalogError, match=r"neighbours\.faiss (holds other lists|is not an index)"):
            load_index(index)


def elsewhere(lists, width, place):
    """Move the lists of an index to a file of their own, which it then names."""
    there = faiss.OnDiskInvertedLists(lists.nlist, width, str(place))
    parts = faiss.InvertedListsPtrVector()
    parts.push_back(faiss.downcast_InvertedLists(lists.invlists))
    there.merge_from_multiple(parts.data(), parts.size())
    lists.replace_invlists(there, False)
    return there


@pytest.mark.parametrize("named", ["other", "itself", "none"])
@pytest.mark.parametrize("offset", [None, 1 << 45])
def test_lists_that_say_where_they_lie_are_refused(with_lists, tmp_path, named, offset):
    """By such lists any file could be read, or the process ended."""
    index = shutil.copytree(with_lists, tmp_path / "index")
    (path,) = index.rglob("neighbours.faiss")
    faiss.set_deserialization_vector_byte_limit(1 << 30)  # loading others has lowered it
    lists = faiss.read_index_binary(str(path))
    there = elsewhere(lists, lists.code_size, tmp_path / "other")
    if named != "other":
        there.filename = str(path) if named == "itself" else ""
    for number in range(lists.nlist - 1 if offset else 0):
        there.lists.at(number).offset = offset
    faiss.write_index_binary(lists, str(tmp_path / "forged"))
    forged(index, (tmp_path / "forged").read_bytes())
    assert b"ilod" in path.read_bytes()
    (tmp_path / "other").unlink()  # it is not even looked for
    with pytest.raises(CatalogError, match=r"neighbours\.faiss holds other lists than its segment"):
        load_index(index)


@pytest.mark.parametrize(
    ("places", "fit"),
    [
        ([(100, 2), (180, 3)], True),
        ([(100, 2), (180, 4)], False),  # beyond the end
        ([(1 << 45, 2), (180, 3)], False),
        ([(100, 1 << 45), (180, 3)], False),
        ([(100, 2), (170, 3)], False),  # into one another
        ([(100, 1), (180, 3)], False),  # more than there is room for
    ],
)
def test_lists_lie_one_after_the_other_in_what_is_mapped(places, fit):
    located = [SimpleNamespace(offset=offset, capacity=capacity) for offset, capacity in places]
    lists = SimpleNamespace(lists=SimpleNamespace(at=located.__getitem__), code_size=32, totsize=300)
    assert faiss_index._lie_within(lists, [2, 3]) == fit


def test_lists_that_were_forged_are_refused_or_harmless(with_lists, tmp_path):
    (path,) = with_lists.rglob("neighbours.faiss")
    rng, data = np.random.default_rng(1), path.read_bytes()
    script = (
        "import sys\n"
        "from stream_match.catalog import load_index\n"
        "from stream_match.errors import CatalogError\n"
        "for name in sys.argv[1:]:\n"
        "    try: c = load_index(name)\n"
        "    except CatalogError: continue\n"
        "    c.propose(c.codes(0), c.chroma_codes(0)[1])\n"
    )
    folders = []
    for count in range(60):
        broken = bytearray(data)
        at = int(rng.integers(len(data) if count % 2 else 2000))
        broken[at : at + 8] = rng.integers(0, 256, len(broken[at : at + 8]), np.uint8).tobytes()
        folders.append(shutil.copytree(with_lists, tmp_path / f"{count}"))
        forged(folders[-1], bytes(broken))
    subprocess.run([sys.executable, "-c", script, *map(str, folders)], check=True, timeout=120)


def test_equal_changes_give_equal_bytes(music, tmp_path):
    for name in ("one", "two"):
        build_index([music / "disc 0"], tmp_path / name, jobs=1)
        add_tracks(tmp_path / name, [music / "disc 1"], jobs=1)
        remove_tracks(tmp_path / name, ["song0"])
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
