"""An index is loaded only if it is whole, and of this program."""

import errno
import io
import json
import mmap
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from catalog_samples import contents, only_segment, resign, sha256

from stream_match.catalog import (
    describe_index,
    load_index,
    remove_tracks,
    store,
    verify_index,
)
from stream_match.catalog import segments as segments_on_disk
from stream_match.catalog.edit import compact_index
from stream_match.catalog.entries import FORMAT_VERSION
from stream_match.catalog.parts import LSH_COUNTS, NAMES
from stream_match.catalog.self_similarity import bias_of, self_scores
from stream_match.catalog.store import open_index
from stream_match.errors import CatalogError
from stream_match.index.segment import LSH_KEY_BITS, LSH_TABLES

FILES = [name for part, names in NAMES.items() for name in names if part != LSH_COUNTS]


def find(index, name):
    (path,) = index.rglob(name)
    return path


def entries_of(manifest, name):
    """The entries of a file in a manifest's contents."""
    parts = [*manifest["parts"].values()]
    parts += [part for segment in manifest["segments"] for part in segment["parts"].values()]
    return [part["files"] for part in parts if name in part["files"]]


def forge(index, name, data):
    """Put other contents in a file's place, with a manifest that agrees."""
    path = find(index, name)
    path.unlink()
    path.write_bytes(data)

    def agree(manifest):
        for files in entries_of(manifest, name):
            files[name] = {"bytes": len(data), "sha256": sha256(data)}

    resign(index, agree)


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def refused(index, message):
    with pytest.raises(CatalogError, match=message) as caught:
        open_index(index)
    assert "\n" not in str(caught.value)
    assert verify_index(index)


def test_what_scores_are_to_lose_is_kept(built, index):
    assert load_index(built).score_bias == bias_of(self_scores(load_index(built)))
    resign(index, lambda manifest: manifest.update(excess=0.75))
    assert load_index(index).score_bias == 0.75


def test_what_is_large_is_mapped_not_read(built):
    catalogue, segment = load_index(built), only_segment(built)
    planes = [catalogue.planes.shape.planes, catalogue.planes.chroma.planes]
    of_segment = [
        segment.words,
        segment.audible,
        segment.chroma_codes,
        segment.lsh.starts,
        segment.lsh.entries,
    ]
    harmony = [segment.harmony.starts, segment.harmony.chroma, segment.harmony.shingles.coefficients]
    for array in [*planes, *of_segment, *harmony]:
        base = array
        while getattr(base, "base", None) is not None and not isinstance(base, np.memmap):
            base = base.base
        assert isinstance(base, np.memmap)
        assert not array.flags.writeable


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(described, name):
    find(described, name).unlink()
    refused(described, f"{name}' is missing")


@pytest.mark.parametrize("name", FILES)
def test_a_shortened_file_is_named(described, name):
    path = find(described, name)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    refused(described, f"{name}' has {len(data) // 2} bytes, expected {len(data)}")


@pytest.mark.parametrize("name", FILES)
def test_one_changed_byte_is_noticed(described, name):
    path = find(described, name)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    refused(described, f"{name}' has been altered")


@pytest.mark.parametrize("checked", [True, False])
def test_what_the_system_refuses_is_told_as_the_system_says_it(index, checked):
    """With ever more file descriptors to be had, until they are enough."""
    script = """
import os, resource, sys
from pathlib import Path
from stream_match.catalog import load_index, store
from stream_match.errors import CatalogError

index = Path(sys.argv[1])
load_index(index)
if sys.argv[2] == "False":
    store.CHECKED_UP_TO_BYTES = 1000
most, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
for allowed in range(len(os.listdir("/proc/self/fd")) - 1, 60):
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    told = "none"
    try:
        load_index(index)
    except CatalogError as error:
        told = str(error)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    print(told)
    if told == "none":
        break
"""
    command = [sys.executable, "-c", script, str(index), str(checked)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert told.pop() == "none"
    assert len(told) > 8
    assert all(line.endswith("cannot be read: Too many open files") for line in told), told
    assert any(".npy' cannot" in line for line in told)


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOMEM])
def test_what_cannot_be_mapped_is_told_with_its_name(index, monkeypatch, code):
    def failing(*_args, **_kwargs):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(mmap, "mmap", failing)
    with pytest.raises(CatalogError, match=rf"\.npy' cannot be read: {os.strerror(code)}$"):
        load_index(index)


def test_too_little_memory_is_told(index, monkeypatch):
    def failing(*_args, **_kwargs):
        raise MemoryError

    monkeypatch.setattr(segments_on_disk, "build_faiss", failing)
    with pytest.raises(CatalogError, match=r"cannot be read: Cannot allocate memory$"):
        load_index(index)


def test_a_folder_that_may_not_be_entered_is_told(index, monkeypatch):
    def failing(path, **_kwargs):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "stat", failing)
    with pytest.raises(CatalogError, match=r"manifest\.json' cannot be read: Permission denied"):
        load_index(index)


def test_a_link_in_a_files_place_is_not_followed(index):
    path = find(index, "chroma_codes.npy")
    path.rename(index.parent / "chroma_codes.npy")
    path.symlink_to(index.parent / "chroma_codes.npy")
    refused(index, "chroma_codes.npy' is no regular file")


def test_a_pipe_in_a_files_place_does_not_hang(index):
    path = find(index, "tracks.jsonl")
    path.unlink()
    os.mkfifo(path)
    refused(index, "tracks.jsonl' is no regular file")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"format_version": FORMAT_VERSION + 1, "earliest_compatible_version": FORMAT_VERSION + 1},
            f"format version {FORMAT_VERSION + 1}",
        ),
        ({"format_version": 0}, "format version 0"),
        ({"format_version": 1, "earliest_compatible_version": 1}, "format version 1"),
        ({"format": "other"}, "belongs to something else"),
        ({"fingerprint": "0" * 16}, "other feature code .fingerprint 0000000000000000."),
        ({"counts": {"tracks": 5, "seconds": 30.0, "codes": 1 << 70}}, "counts.codes"),
        ({"counts": {"tracks": 5, "seconds": float("nan"), "codes": 1}}, "counts.seconds|damaged"),
        ({"counts": {"tracks": "5", "seconds": 30.0, "codes": 1}}, "counts.tracks"),
        ({"counts": {"tracks": 5, "seconds": 30.0, "codes": 1}}, "contradicts itself .counts"),
        ({"generation": 0}, "generation"),
        ({"segments": []}, "segments"),
        ({"segments": [1]}, "segments"),
        ({"segments": {"a": 1}}, "segments"),
        ({"parts": []}, "parts"),
        ({"parts": {}}, "parts.hyperplanes is missing"),
        (
            {"parts": {"hyperplanes": {"version": 2}}},
            "part 'hyperplanes' .* has version 2, and this version of stream-match reads 1: take a newer one",
        ),
        ({"cohort": {"a": "b"}}, "cohort"),
        ({"excess": -1}, "excess"),
        ({"excess": 1.6}, "excess"),
        ({"excess": float("nan")}, "excess"),
        ({"settings": []}, "damaged .field settings.:"),
    ],
)
def test_a_hostile_or_foreign_manifest_is_refused(index, change, message):
    resign(index, lambda manifest: manifest.update(change))
    refused(index, message)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"generation": "1"}, "damaged (field generation): build it again"),
        ({"segments": []}, "damaged (field segments): build it again"),
        ({"parts": {}}, "damaged (field parts.hyperplanes is missing): build it again"),
        ({"fingerprint": 1}, "damaged (field fingerprint): build it again"),
        ({"settings": {"n_bits": 257}}, "damaged (field settings"),
        ({"format_version": "3"}, "damaged (field format_version): build it again"),
        (None, "damaged (it is cut off, or no JSON): build it again"),
    ],
)
def test_damage_is_told_in_plain_words(index, change, words):
    if change is None:
        text = (index / "manifest.json").read_bytes()
        (index / "manifest.json").write_bytes(text[:1000])
    else:
        resign(index, lambda manifest: manifest.update(change))
    with pytest.raises(CatalogError) as caught:
        load_index(index)
    assert words in str(caught.value)


def test_a_damaged_row_is_told_in_plain_words(index):
    forge(index, "tracks.jsonl", b'{"id": ""}\n')
    refused(index, r"tracks\.jsonl .* is damaged .field id.: build it again")


def test_settings_of_another_program_are_another_fingerprint(index):
    resign(index, lambda manifest: manifest["settings"].update(loudness="new"))
    refused(index, "other feature code")


def test_another_version_of_the_feature_code_is_refused(index, monkeypatch):
    monkeypatch.setattr("stream_match.config.feature_settings.FEATURE_CODE_VERSION", 999)
    refused(index, "other feature code")


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[1]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"a":1}', b" " * (2 << 20)],
    ids=["empty", "cut", "list", "null", "binary", "deep", "foreign", "giant"],
)
def test_a_manifest_that_is_none_is_refused(index, data):
    (index / "manifest.json").write_bytes(data)
    refused(index, "manifest")


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("chroma_codes.npy", npy(np.zeros((3, 8), np.uint8)), "expected"),
        ("chroma_codes.npy", b"not an array", "not an array"),
        ("chroma_codes.npy", b"\x80\x04\x95.", "not an array"),
        ("chroma_codes.npy", npy(np.array([{}], dtype=object)), "not an array"),
        ("audible.npy", npy(np.zeros(3, np.int64)), "expected"),
        ("tracks.jsonl", b"", "counts"),
        ("tracks.jsonl", b'{"id": "a"}\n', "tracks.jsonl .* damaged"),
        ("tracks.jsonl", b"\xff\n", "tracks.jsonl .* damaged"),
        ("codes.npy", npy(np.zeros((3, 32), np.uint8)), "expected"),
        ("shingles.npy", npy(np.zeros((1, 2, 22), np.float16)), "does not fit"),
        ("shingles.npy", npy(np.zeros((0, 2, 21), np.float16)), "expected"),
        ("coarse_chroma.npy", npy(np.zeros((3, 12), np.uint8)), "not in order"),
    ],
)
def test_forged_files_are_refused(index, name, data, message):
    forge(index, name, data)
    refused(index, message)


def test_another_number_of_audible_positions_than_hashed_ones_is_refused(index):
    audible = np.load(find(index, "audible.npy"))
    audible[0] ^= True  # the first position of a track could be hashed
    forge(index, "audible.npy", npy(audible))
    refused(index, "counts")


def test_an_index_that_is_replaced_while_it_is_read_is_read_again(index, monkeypatch):
    """Between its manifest and its segments it is compacted, and these are deleted."""
    reading, left = store.read_manifest, [3]

    def slow(folder):
        manifest = reading(folder)
        if left[0]:
            left[0] -= 1
            monkeypatch.setattr(store, "read_manifest", reading)
            remove_tracks(index, ["disc 0/song" + "024"[left[0]]])
            compact_index(index)
            monkeypatch.setattr(store, "read_manifest", slow)
        return manifest

    monkeypatch.setattr(store, "read_manifest", slow)
    assert len(load_index(index).tracks.named) == 2
    assert left == [0]


def test_a_header_that_claims_a_huge_array_takes_no_memory(index):
    data = find(index, "chroma_codes.npy").read_bytes()
    shape = str(np.load(find(index, "chroma_codes.npy")).shape).encode()
    claimed = b"(99999999999, 8)"
    forge(
        index,
        "chroma_codes.npy",
        data.replace(shape + b", }" + b" " * (len(claimed) - len(shape)), claimed + b", }"),
    )
    refused(index, "not an array")


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("lsh_entries.npy", lambda array: array.__setitem__((0, 0), 1 << 31), "positions that do not exist"),
        ("lsh_starts.npy", lambda array: array.__setitem__((0, 0), 1), "lsh_starts.npy is not in order"),
        (
            "lsh_starts.npy",
            lambda array: array.__setitem__((0, -1), 1 << 31),
            "lsh_starts.npy is not in order",
        ),
        (
            "lsh_starts.npy",
            lambda array: array.__setitem__((0, 5), 1 << 31),
            "lsh_starts.npy is not in order",
        ),
        ("shape_planes.npy", lambda array: array.__setitem__((0, 0), np.nan), "not finite"),
    ],
)
def test_arrays_that_would_lead_astray_are_refused(index, name, change, message):
    array = np.load(find(index, name))
    change(array)
    forge(index, name, npy(array))
    refused(index, message)


def test_tables_that_do_not_fit_the_codes_are_found_by_verify(index):
    codes = np.load(find(index, "chroma_codes.npy"))
    forge(index, "chroma_codes.npy", npy(codes[::-1].copy()))
    load_index(index)
    assert verify_index(index) == ["the LSH tables do not fit the codes: build the index again"]


def test_a_faiss_index_that_does_not_find_its_own_codes_is_found_by_verify(index, monkeypatch):
    reading = segments_on_disk.build_faiss
    monkeypatch.setattr(segments_on_disk, "build_faiss", lambda codes, **kwargs: reading(~codes, **kwargs))
    assert verify_index(index) == ["the FAISS index does not find its own codes: build the index again"]


@pytest.mark.parametrize("change", ["missing", "altered"])
def test_the_card_is_for_people_and_not_verified(index, change):
    card = index / "MODEL_CARD.md"
    card.unlink() if change == "missing" else card.write_text("ours")
    assert verify_index(index) == []


def test_verify_names_everything_at_once(index):
    find(index, "audible.npy").unlink()
    find(index, "chroma_codes.npy").write_bytes(b"")
    (index / "segments" / "0123456789abcdef").mkdir()
    (index / "stray").touch()
    problems = verify_index(index)
    assert len(problems) == 4
    names = ["audible.npy", "chroma_codes.npy", "0123456789abcdef", "stray"]
    for name, problem in zip(names, problems, strict=True):
        assert name in problem


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("none", "there is no index folder"),
        ("file", "is a file; expected the folder of an index"),
        ("empty", "is not an index: it has no manifest"),
        ("foreign", "is not an index: its manifest.json belongs to something else"),
    ],
)
def test_what_is_no_index_is_told(tmp_path, kind, told):
    path = tmp_path / "x"
    if kind == "file":
        path.touch()
    elif kind != "none":
        path.mkdir()
    if kind == "foreign":
        (path / "manifest.json").write_text('{"name": "a web application"}')
    refused(path, told)


def test_description(built):
    info = describe_index(built)
    (segment,) = info.segments
    assert (info.tracks, info.generation, segment.exhaustive, info.removed_share) == (5, 1, True, 0.0)
    assert segment.lsh_key_bits == LSH_KEY_BITS[0]
    assert load_index(built).segments[0].lsh.n_tables == LSH_TABLES
    assert info.codes == segment.codes == len(only_segment(built))
    assert info.hours == pytest.approx(30 / 3600, abs=1e-4)
    found = {name: data for name, data in contents(built).items() if name != "MODEL_CARD.md"}
    assert info.bytes == sum(map(len, found.values()))
    assert info.parts == {"hyperplanes": 1, "recordings": 1, "versions": 1}
    assert 0.5 < segment.lsh_occupancy <= 1
    assert info.fingerprint == info.settings.fingerprint()
    assert json.loads(info.model_dump_json())["format_version"] == FORMAT_VERSION
    assert info.hint is None


def test_what_has_been_removed_is_told_and_how_to_get_rid_of_it(index):
    remove_tracks(index, ["disc 0/song4"])
    info = describe_index(index)
    assert (info.tracks, info.generation, info.segments[0].removed) == (4, 2, 1)
    assert info.removed_share == pytest.approx(8 / 30, abs=0.1)
    assert "index compact" in info.hint
    compact_index(index)
    assert describe_index(index).removed_share == 0


def test_the_card_says_what_it_is(built):
    card = (built / "MODEL_CARD.md").read_text()
    for words in ["5 tracks", "contains no audio", "licences", "index verify"]:
        assert words in card
