"""Folders of later versions: read as far as they are known, and changed without a loss."""

import json
import logging

import numpy as np
import pytest
from catalog_samples import contents, resign, sha256, song, write

from stream_match.catalog import (
    add_tracks,
    build_index,
    compact_index,
    describe_index,
    list_tracks,
    load_index,
    remove_tracks,
    update_index,
    verify_index,
)
from stream_match.catalog.entries import FORMAT_VERSION
from stream_match.errors import CatalogError


def manifest_of(index):
    return json.loads((index / "manifest.json").read_text())


def add_to_rows(index, **more):
    """Let the rows say more, as a later version may."""
    (path,) = index.rglob("tracks.jsonl")
    rows = [json.loads(line) | more for line in path.read_text().splitlines()]
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(data)
    entry = {"bytes": len(data), "sha256": sha256(data)}
    resign(index, lambda m: m["segments"][0]["parts"]["recordings"]["files"].update({"tracks.jsonl": entry}))


@pytest.fixture
def future(index):
    """A folder of a later version: more keys, more parts, a newer part for versions."""
    (segment,) = (index / "segments").iterdir()
    (segment / "descriptors.npy").write_bytes(b"of another kind")
    (segment / "notes.bin").write_bytes(b"more")
    (index / "planes" / "fedcba9876543210").mkdir()
    (index / "planes" / "fedcba9876543210" / "names.npy").write_bytes(b"names")

    def grow(manifest):
        manifest["loudness"] = {"mean": -14.0, "deep": [[1, {"a": None}]]}
        manifest["counts"]["artists"] = 3
        manifest["parts"]["classes"] = {"version": 7, "names": ["a"], "folder": "fedcba9876543210"}
        manifest["parts"]["odd"] = [1, 2]
        manifest["parts"]["hyperplanes"]["seed"] = 5
        entry = manifest["segments"][0]
        entry["mean"] = 0.5
        entry["parts"]["descriptors"] = {
            "version": 2,
            "files": {
                "descriptors.npy": {"bytes": 15, "sha256": sha256(b"of another kind")},
                "../../x": 3,
                "odd.npy": [1],
            },
        }
        entry["parts"]["versions"]["version"] = 2
        entry["parts"]["versions"]["files"]["notes.bin"] = {"bytes": 4, "sha256": sha256(b"more")}
        entry["parts"]["recordings"]["files"]["lsh_starts.npy"]["mode"] = 1

    resign(index, grow)
    add_to_rows(index, year=1999)
    return index


def test_it_is_read_as_far_as_it_is_known(future, built, caplog):
    with caplog.at_level(logging.WARNING):
        catalogue = load_index(future)
    assert [record.message for record in caplog.records] == [
        f"the index {str(future)!r} has no part for versions that can be read here: they are not looked for"
    ]
    assert catalogue.harmony is None
    known = load_index(built)
    assert catalogue.tracks.named == known.tracks.named
    np.testing.assert_array_equal(catalogue.segments[0].words, known.segments[0].words)
    assert verify_index(future) == []
    info = describe_index(future)
    assert info.parts == {"hyperplanes": 1, "recordings": 1}
    assert len(list_tracks(future)) == 5


@pytest.mark.parametrize("name", ["descriptors.npy", "notes.bin"])
def test_verify_looks_at_files_of_parts_that_are_not_known(future, name):
    (path,) = future.rglob(name)
    path.write_bytes(b"x" * path.stat().st_size)
    (problem,) = verify_index(future)
    assert f"{name}' has been altered" in problem
    path.unlink()
    (problem,) = verify_index(future)
    assert f"{name}' is missing" in problem
    load_index(future)


def removed(index, _):
    remove_tracks(index, ["disc 0/song0"])
    return {"removed": [0], "segments": 1}


def added(index, place):
    add_tracks(index, [write(place / "new.wav", song(9, 3.0))], jobs=1)
    return {"removed": [], "segments": 2}


def added_more(index, place):
    """It would take the other segment in."""
    add_tracks(index, [write(place / "long.wav", song(9, 60.0))], jobs=1)
    add_tracks(index, [write(place / "longer.wav", song(8, 90.0))], jobs=1)
    return {"removed": [], "segments": 2}


def updated(index, place):
    write(place / "disc 0" / "song0.wav", song(8, 6.0))
    write(place / "long.wav", song(9, 60.0))
    report = update_index(index, [place], jobs=1)
    assert (report.added, report.changed, report.removed) == (1, 1, 4)
    return


def emptied(index, place):
    add_tracks(index, [write(place / "new.wav", song(9, 3.0))], jobs=1)
    remove_tracks(index, [row.id for row in list_tracks(index) if row.id != "new"])
    return


@pytest.mark.parametrize("change", [removed, added, added_more])
def test_a_change_keeps_what_is_not_known(future, tmp_path, change):
    before, files = manifest_of(future), contents(future)
    expected = change(future, tmp_path / "music")
    after = manifest_of(future)
    assert after["generation"] > before["generation"]
    assert len(after["segments"]) == expected["segments"]
    assert after["segments"][0] == {**before["segments"][0], "removed": expected["removed"]}
    assert after["parts"] == before["parts"]
    assert after["loudness"] == before["loudness"]
    assert "artists" not in after["counts"]  # it is not known whether it still holds
    kept = {name for name in files if "/" in name}
    assert {name: data for name, data in contents(future).items() if name in kept} == {
        name: files[name] for name in kept
    }
    assert verify_index(future) == []


@pytest.mark.parametrize("change", [updated, emptied])
def test_of_what_is_not_known_goes_what_belongs_to_tracks_that_are_gone(future, tmp_path, change):
    before = manifest_of(future)
    change(future, tmp_path / "music")
    after = manifest_of(future)
    assert [segment["parts"].keys() for segment in after["segments"]] == [{"recordings", "versions"}]
    assert (after["parts"], after["loudness"]) == (before["parts"], before["loudness"])
    assert not list(future.rglob("descriptors.npy"))
    assert verify_index(future) == []


def parts_of_segments(manifest):
    manifest["segments"][0]["parts"]["descriptors"] = {"version": 1, "files": {}}


def newer_versions(manifest):
    manifest["segments"][0]["parts"]["versions"] = {"version": 2, "in": "another way"}


def versions_without_a_version(manifest):
    manifest["segments"][0]["parts"]["versions"] = 3


def keys_of_a_segment(manifest):
    manifest["segments"][0]["mean"] = None


def parts_of_the_index(manifest):
    manifest["parts"]["classes"] = 3


@pytest.mark.parametrize("refit", [False, True])
@pytest.mark.parametrize(
    "grow",
    [parts_of_segments, newer_versions, versions_without_a_version, keys_of_a_segment, parts_of_the_index],
)
def test_what_is_not_known_is_not_merged(index, music, grow, refit):
    resign(index, grow)
    before = contents(index)
    with pytest.raises(CatalogError, match=r"holds parts that this .* cannot read: compact it with a newer"):
        compact_index(index, refit=[music] if refit else None, jobs=1)
    assert contents(index) == before


@pytest.mark.parametrize("refit", [False, True])
def test_what_rows_and_the_whole_index_say_besides_is_merged_with_them(index, music, tmp_path, refit):
    resign(index, lambda manifest: manifest.update(loudness=-14))
    add_to_rows(index, year=1999)
    if not refit:
        add_tracks(index, [write(tmp_path / "long.wav", song(9, 60.0))], jobs=1)  # takes them in
        assert len(manifest_of(index)["segments"]) == 1
    compact_index(index, refit=[music] if refit else None, jobs=1)
    years = [row.model_extra.get("year") for row in list_tracks(index)]
    assert years == [1999] * 5 + ([] if refit else [None])
    assert manifest_of(index)["loudness"] == -14
    assert verify_index(index) == []


def test_a_later_format_that_can_be_read_is_not_written_into(index, music, tmp_path):
    """What is written here need not fit it."""
    resign(index, lambda manifest: manifest.update(format_version=FORMAT_VERSION + 1))
    assert len(load_index(index).tracks.named) == 5
    assert verify_index(index) == []
    before = contents(index)
    new = write(tmp_path / "new" / "new.wav", song(9, 3.0))
    for change in (
        lambda: remove_tracks(index, ["disc 0/song0"]),
        lambda: add_tracks(index, [new], jobs=1),
        lambda: update_index(index, [music, new.parent], jobs=1),
        lambda: compact_index(index),
    ):
        with pytest.raises(
            CatalogError, match=r"has format version 4, .* writes 3: change it with a newer one"
        ):
            change()
    assert contents(index) == before
    build_index([music], index, jobs=1, replace=True)
    assert manifest_of(index)["format_version"] == FORMAT_VERSION


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("stripped", [True, False])
def test_a_format_that_is_not_known_is_told_whatever_else_it_holds(index, stripped, signed):
    later = {"format_version": FORMAT_VERSION + 1, "earliest_compatible_version": FORMAT_VERSION + 1}

    def change(manifest):
        kept = {} if stripped else dict(manifest)
        manifest.clear()
        manifest.update(kept | {"format": "stream_match.index"} | later)

    resign(index, change)
    if not signed:
        text = (index / "manifest.json").read_text()
        (index / "manifest.json").write_text(text.replace('"sha256": "', '"sha256": "0'))
    for read in (load_index, list_tracks, lambda index: remove_tracks(index, ["a"])):
        with pytest.raises(CatalogError, match=r"has format version 4, .* reads 3: take a newer one"):
            read(index)


@pytest.mark.parametrize("part", ["hyperplanes", "recordings"])
def test_what_cannot_be_done_without_is_refused_in_a_later_version(index, part):
    def newer(manifest):
        for parts in (manifest["parts"], manifest["segments"][0]["parts"]):
            if part in parts:
                parts[part]["version"] = 2

    resign(index, newer)
    with pytest.raises(
        CatalogError,
        match=f"part '{part}' of the index .* has version 2, .* take a newer one",
    ):
        load_index(index)
