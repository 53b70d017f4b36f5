"""An index is loaded only if it is whole, and of this program."""

import io
import json
import os
import shutil

import numpy as np
import pytest
from catalog_samples import contents, sha256

from stream_match.catalog import describe_index, load_index, save_index, store, verify_index
from stream_match.catalog.manifest import FORMAT_VERSION
from stream_match.catalog.store import FILES, open_index
from stream_match.errors import CatalogError
from stream_match.match.cohort import excess
from stream_match.index.faiss_index import FaissIndex, build_faiss, load_faiss
from stream_match.match.reference import LSH_KEY_BITS, LSH_TABLES


def edit_manifest(index, change):
    path = index / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def forge(index, name, data):
    """Put other contents in a file's place, with a manifest that agrees."""
    (index / name).unlink()
    (index / name).write_bytes(data)
    entry = {"bytes": len(data), "sha256": sha256(data)}
    edit_manifest(index, lambda manifest: manifest["files"].__setitem__(name, entry))


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def refused(index, message):
    with pytest.raises(CatalogError, match=message) as caught:
        load_index(index)
    assert "\n" not in str(caught.value)
    assert verify_index(index)


def test_round_trip(built, tmp_path):
    index = open_index(built)
    save_index(index.reference, index.rows, tmp_path / "copy")
    assert contents(tmp_path / "copy") == contents(built)
    assert verify_index(built) == []


def test_what_scores_are_to_lose_is_kept_and_was_not_known_once(built, index):
    assert load_index(built).excess == excess(load_index(built))
    edit_manifest(index, lambda manifest: manifest.update(excess=0.75))
    assert load_index(index).excess == 0.75
    edit_manifest(index, lambda manifest: manifest.pop("excess"))
    assert load_index(index).excess == 0


def test_what_is_large_is_mapped_not_read(built):
    reference = open_index(built).reference
    planes = [reference.planes.shape.planes, reference.planes.chroma.planes]
    for array in [reference.chroma_codes, reference.lsh.starts, reference.lsh.entries, *planes]:
        base = array
        while getattr(base, "base", None) is not None and not isinstance(base, np.memmap):
            base = base.base
        assert isinstance(base, np.memmap)
        assert not array.flags.writeable


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(index, name):
    (index / name).unlink()
    refused(index, f"{name}' is missing")


@pytest.mark.parametrize("name", FILES)
def test_a_shortened_file_is_named(index, name):
    data = (index / name).read_bytes()
    (index / name).write_bytes(data[: len(data) // 2])
    refused(index, f"{name}' has {len(data) // 2} bytes, expected {len(data)}")


@pytest.mark.parametrize("name", FILES)
def test_one_changed_byte_is_noticed(index, name):
    data = bytearray((index / name).read_bytes())
    data[len(data) // 2] ^= 1
    (index / name).write_bytes(data)
    refused(index, f"{name}' has been altered")


def test_a_link_in_a_files_place_is_not_followed(index):
    shutil.copy(index / "chroma_codes.npy", index.parent / "chroma_codes.npy")
    (index / "chroma_codes.npy").unlink()
    (index / "chroma_codes.npy").symlink_to(index.parent / "chroma_codes.npy")
    refused(index, "chroma_codes.npy' is no regular file")


def test_a_pipe_in_a_files_place_does_not_hang(index):
    (index / "tracks.jsonl").unlink()
    os.mkfifo(index / "tracks.jsonl")
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
        ({"extra": 1}, "extra: Extra inputs"),
        ({"counts": {"tracks": 5, "seconds": 30.0, "codes": 1 << 70, "hashed": 1}}, "counts.codes"),
        ({"counts": {"tracks": 5, "seconds": float("nan"), "codes": 1, "hashed": 1}}, "counts.seconds"),
        ({"counts": {"tracks": "5", "seconds": 30.0, "codes": 1, "hashed": 1}}, "counts.tracks"),
        ({"lsh": {"tables": 8, "key_bits": 60}}, "key_bits"),
        ({"files": {"../../etc/passwd": {"bytes": 1, "sha256": "0" * 64}}}, "files"),
        ({"files": {"/etc/passwd": {"bytes": 1, "sha256": "0" * 64}}}, "files"),
        ({"files": {}}, "says nothing of"),
        ({"excess": -1}, "excess"),
        ({"excess": 1.6}, "excess"),
        ({"excess": float("nan")}, "excess"),
        ({"settings": []}, "settings: Input should be an object"),
    ],
)
def test_a_hostile_or_foreign_manifest_is_refused(index, change, message):
    edit_manifest(index, lambda manifest: manifest.update(change))
    refused(index, message)


def test_settings_of_another_program_are_another_fingerprint(index):
    edit_manifest(index, lambda manifest: manifest["settings"].update(loudness="new"))
    refused(index, "other feature code")


def test_another_version_of_the_feature_code_is_refused(index, monkeypatch):
    monkeypatch.setattr("stream_match.config.FEATURE_CODE_VERSION", 999)
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
        ("neighbours.faiss", b"nothing", "FAISS"),
        ("neighbours.faiss", build_faiss(np.zeros((3, 16), np.uint8)).to_bytes(), "counts"),
        ("neighbours.faiss", b"IBxF\x80\0\0\0\x10\0\0\0\0\0\0\0\0\1\0\0\1\1\0\0\0" + b"\x40" * 8, "FAISS"),
    ],
)
def test_forged_files_are_refused(index, name, data, message):
    forge(index, name, data)
    refused(index, message)


def test_codes_of_another_width_are_refused(index):
    narrow = build_faiss(load_index(index).codes[:, :8].copy())
    forge(index, "neighbours.faiss", narrow.to_bytes())
    refused(index, "counts")


def test_another_number_of_audible_positions_than_hashed_ones_is_refused(index):
    audible = np.load(index / "audible.npy")
    audible[0] ^= 0b1000_0000  # the first position of a track could be hashed
    forge(index, "audible.npy", npy(audible))
    refused(index, "counts")


def test_an_index_that_is_replaced_while_it_is_read_is_read_again(index, built, monkeypatch):
    reading = store.load_arrays

    def slow(folder, manifest):
        arrays = reading(folder, manifest)
        if index.parent in folder.parents and not (index.parent / "old").exists():
            index.rename(index.parent / "old")
            shutil.copytree(built, index)
            (index.parent / "old" / "tracks.jsonl").unlink()
            raise CatalogError("half of each")
        return arrays

    monkeypatch.setattr(store, "load_arrays", slow)
    assert len(load_index(index).tracks) == 5


def test_a_header_that_claims_a_huge_array_takes_no_memory(index):
    data = (index / "chroma_codes.npy").read_bytes()
    shape = str(np.load(index / "chroma_codes.npy").shape).encode()
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
    array = np.load(index / name)
    change(array)
    forge(index, name, npy(array))
    refused(index, message)


def test_tables_that_do_not_fit_the_codes_are_found_by_verify(index):
    codes = np.load(index / "chroma_codes.npy")
    forge(index, "chroma_codes.npy", npy(codes[::-1].copy()))
    load_index(index)
    assert verify_index(index) == ["the LSH tables do not fit the codes: build the index again"]


def test_a_faiss_index_that_does_not_find_its_own_codes_is_found_by_verify(index, monkeypatch):
    class Lost(FaissIndex):
        def search(self, codes, k):
            return super().search(~codes, k)

    monkeypatch.setattr(store, "load_faiss", lambda path: Lost(load_faiss(path)._index))
    assert verify_index(index) == ["the FAISS index does not find its own codes: build the index again"]


def test_verify_names_everything_at_once(index):
    (index / "audible.npy").unlink()
    (index / "chroma_codes.npy").write_bytes(b"")
    (index / "codes.npy").touch()  # of an older version
    (index / "stray").touch()
    problems = verify_index(index)
    assert len(problems) == 4
    names = ["audible.npy", "chroma_codes.npy", "codes.npy", "stray"]
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


def test_a_broken_swap_is_mended_by_loading(index):
    index.rename(index.with_name(".index.replaced"))
    assert len(load_index(index).tracks) == 5
    assert [path.name for path in index.parent.iterdir()] == ["index"]


def test_description(built):
    info = describe_index(built)
    assert (info.tracks, info.neighbours) == (5, "flat")
    assert (info.lsh_tables, info.lsh_key_bits) == (LSH_TABLES, LSH_KEY_BITS[0])
    reference = open_index(built).reference
    assert (info.codes, info.hashed) == (len(reference.codes), len(reference.hashed))
    assert info.hours == pytest.approx(reference.seconds / 3600, abs=5 * 2 / 3600)
    assert info.hours == pytest.approx(30 / 3600, abs=1e-4)
    assert info.bytes == sum(map(len, contents(built).values()))
    assert 0.5 < info.lsh_occupancy <= 1
    assert info.fingerprint == info.settings.fingerprint()
    assert json.loads(info.model_dump_json())["format_version"] == FORMAT_VERSION


def test_the_card_says_what_it_is(built):
    card = (built / "MODEL_CARD.md").read_text()
    for words in ["5 tracks", "contains no audio", "licences", "index verify"]:
        assert words in card
