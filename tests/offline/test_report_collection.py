"""The report of a collection: what is computed of it, where it comes from, and what is odd."""

import html
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from report_samples import GENRES, HOSTILE, made_up, made_up_tracks, write_table

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.repertoire import PIECES
from stream_match.capture.synth import render
from stream_match.catalog import build_index
from stream_match.catalog.describe import add_descriptors
from stream_match.catalog.store import open_index
from stream_match.cli import main
from stream_match.descriptors.distances import distances, fit_z_score, fuse
from stream_match.descriptors.sets import SETS
from stream_match.offline.reports.collection_figures import MOST_GROUPS, OTHERS, largest_groups, strongest
from stream_match.offline.reports.collection_page import write_collection
from stream_match.offline.reports.near_duplicates import near_duplicates, neighbourhoods
from stream_match.offline.reports.overview import correlations, overview, principal_map
from stream_match.offline.reports.page import address_of, asset, escaped
from stream_match.offline.reports.tracks import gather
from stream_match.text import printable

pytest.importorskip("matplotlib")

PUBLISHED = Path(__file__).parents[2] / "../shared/data/gtzan/features_30_sec.csv"

# Rows of the published table whose features are equal.
EQUAL = {
    "disco 98 disco 99", "hiphop 39 hiphop 45", "hiphop 76 hiphop 78", "metal 34 metal 94",
    "metal 40 metal 61", "metal 41 metal 62", "metal 42 metal 63", "metal 43 metal 64",
    "metal 44 metal 65", "metal 45 metal 66", "metal 58 rock 16", "pop 54 pop 60",
    "pop 67 pop 71", "reggae 81 reggae 82",
}  # fmt: skip


@pytest.fixture(scope="module")
def published():
    if not PUBLISHED.is_file():
        pytest.skip(f"{PUBLISHED} is not there: the published table is not part of the repository")
    return PUBLISHED


def data_of(page):
    """What the script of a page finds, as a browser reads it."""
    text = page.read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)[1])


# --- what is computed ---


def test_the_published_table(published):
    tracks = gather(None, [published], [])
    seen = overview(tracks.sets)
    assert (len(tracks.ids), tracks.grouped_by, len(set(tracks.groups))) == (1000, "genre", 10)
    np.testing.assert_allclose(seen.map.shares, (0.24644968, 0.22028192), atol=1e-7)

    def short(row):
        genre, number, _ = tracks.ids[row].split(".")
        return f"{genre} {int(number)}"

    pairs = {f"{short(a)} {short(b)}": distance for a, b, distance in seen.duplicates.pairs}
    assert {pair for pair, distance in pairs.items() if distance == 0} == EQUAL
    assert list(pairs)[: len(EQUAL)] == sorted(EQUAL)
    # Takes of one recording that a study of the clips has found by ear, such as these two.
    assert {"pop 15 pop 22", "jazz 33 jazz 51"} <= set(pairs)
    assert len(pairs) == 32


def test_correlations_are_those_of_numpy():
    table = made_up(50)[0]["gtzan"]
    table[:, 0] = 3.0  # chroma_stft_mean
    found = correlations(table, SETS["gtzan"].columns)
    means = [place for place, name in enumerate(SETS["gtzan"].columns) if name.endswith("_mean")]
    assert len(found.names) == len(means) == 28
    np.testing.assert_allclose(found.values[1:, 1:], np.corrcoef(table[:, means[1:]].T), atol=1e-9)
    assert np.isnan(found.values[0]).all()
    assert "(" in strongest(found)


def test_the_map_is_scikit_learns():
    decomposition = pytest.importorskip("sklearn.decomposition")
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    table = made_up(80)[0]["gtzan"]
    pca = decomposition.PCA(2).fit(scaled := preprocessing.MinMaxScaler().fit_transform(table))
    found = principal_map({"gtzan": table})
    np.testing.assert_allclose(found.shares, pca.explained_variance_ratio_, atol=1e-9)
    np.testing.assert_allclose(np.abs(found.places), np.abs(pca.transform(scaled)), atol=1e-9)


def test_neighbours_are_those_of_similar():
    sets, _ = made_up(40, sets=("rp", "ssd"))
    seen, fused = overview(sets), fuse(sets)
    z = fit_z_score(fused.table)(fused.table)
    for row in (0, 17, 39):
        far = distances(z[row], z, "weighted", lengths=fused.lengths)
        far[row] = np.inf
        order = np.argsort(far, kind="stable")[:10]
        np.testing.assert_array_equal(seen.near.rows[row], order)
        np.testing.assert_allclose(seen.near.distances[row], far[order], rtol=1e-9)


@given(st.integers(1, 30), st.integers(1, 4), st.integers(0, 5))
def test_neighbourhoods_of_few_or_equal_tracks(n, d, seed):
    points = np.random.default_rng(seed).integers(0, 3, (n, d)).astype(np.float64)
    near = neighbourhoods(points)
    assert near.rows.shape == (n, min(10, n - 1))
    for row in range(n):
        assert row not in near.rows[row]
        assert len(set(near.rows[row].tolist())) == near.rows.shape[1]
        far = np.delete(np.linalg.norm(points - points[row], axis=1), row)
        np.testing.assert_allclose(near.distances[row], np.sort(far)[: near.rows.shape[1]], atol=1e-9)
    found = near_duplicates(near)
    for a, b, distance in found.pairs:
        assert a < b
        assert distance == pytest.approx(np.linalg.norm(points[a] - points[b]))


@pytest.mark.parametrize("dimensions", [2, 6, 12])
def test_chance_pairs_are_as_few_as_the_rule_says(dimensions):
    """Evenly spread points have .1 near-duplicates in a collection: 20 collections have about 2."""
    told = [
        near_duplicates(neighbourhoods(np.random.default_rng(seed).random((400, dimensions))))
        for seed in range(20)
    ]
    assert sum(len(found.pairs) for found in told) <= 8
    # Near the edge, neighbours are missing: high dimensions are estimated too low, and fewer pairs are told.
    assert all(0.6 * dimensions < found.dimensions < 1.1 * dimensions for found in told)


@pytest.mark.parametrize("count", [20, 400])
def test_copies_that_were_changed_a_little_are_found(count):
    rng = np.random.default_rng(1)
    points = rng.random((400, 6))
    copies = points[:count] + 0.002 * rng.standard_normal((count, 6))
    found = near_duplicates(neighbourhoods(np.concatenate([points, copies])))
    assert {(row, 400 + row) for row in range(count)} <= {(a, b) for a, b, _ in found.pairs}
    assert len(found.pairs) <= count + 2
    assert 4 < found.dimensions < 7


# --- where it comes from ---


def test_a_table_alone(tmp_path):
    out = tmp_path / "page.html"
    assert main(["report", "--table", str(write_table(tmp_path / "t.csv", 40)), "--out", str(out)]) == 0
    data = data_of(out)
    assert len(data["id"]) == len(data["x"]) == len(data["near"]) == len(data["tempo"]) == 40
    assert (data["groupedBy"], data["groups"]) == ("folder", ["album0", "album1", "album2"])
    text = out.read_text()
    sections = re.findall(r'<section id="(\w+)"', text)
    assert sections == ["map", "list", "duplicates", "copies", "loudness", "tempo", "correlations"]
    assert not re.search(r"https?://", text)
    assert "An index knows this" in text


def test_files_are_named_relative_to_the_page(tmp_path):
    music, pages = tmp_path / "my music", tmp_path / "pages"
    (music / "album0").mkdir(parents=True)
    pages.mkdir()
    soundfile.write(music / "album0" / "a #1?.wav", np.ones(100), 22_050)
    table = write_table(tmp_path / "t.csv", 2, ids=["album0/a #1?.au", "b"])
    out = pages / "page.html"
    assert main(["report", "--table", str(table), str(music), "--out", str(out)]) == 0
    assert data_of(out)["file"] == ["../my%20music/album0/a%20%231%3F.wav", ""]


def test_addresses_are_no_schemes(tmp_path):
    page = tmp_path / "page.html"
    assert address_of(tmp_path / "javascript:alert(1).wav", page) == "javascript%3Aalert%281%29.wav"
    assert address_of(tmp_path / 'a"<b>&\udcff.wav', page) == "a%22%3Cb%3E%26%FF.wav"


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """Of three songs, one of them twice; without descriptors."""
    home = tmp_path_factory.mktemp("collection")
    for name, piece in (("a/one", 0), ("a/two", 1), ("b/three", 2), ("b/two again", 1)):
        path = home / "music" / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, render(PIECES[piece])[: 10 * SAMPLE_RATE_HZ], SAMPLE_RATE_HZ)
    build_index([home / "music"], home / "index", progress=False)
    return home


def test_an_index_without_descriptors(index, tmp_path, capsys):
    assert main(["report", "--index", str(index / "index"), "--out", str(tmp_path / "page.html")]) == 2
    told = capsys.readouterr().err
    assert "has no descriptors" in told
    assert "stream-match index describe" in told
    assert list(tmp_path.iterdir()) == []


def test_an_index_with_a_table(index, tmp_path, capsys):
    table = write_table(tmp_path / "t.csv", 4, ids=["a/one", "b/three", "b/two again", "stranger"])
    out = tmp_path / "page.html"
    asked = ["report", "--index", index / "index", index / "music", "--table", table, "--out", out]
    assert main(list(map(str, asked))) == 0
    data = data_of(out)
    assert data["id"] == ["a/one", "b/three", "b/two again"]
    assert data["groups"] == ["a", "b"]
    assert all(data["file"])
    text = out.read_text()
    assert "<bdi>a/two</bdi>, <bdi>b/two again</bdi>" in text  # one recording, for the index
    assert "2 left out" in text  # a/two, stranger
    assert "left out: 2" in capsys.readouterr().err


def test_an_index_with_descriptors(index, tmp_path):
    folder = tmp_path / "index"
    shutil.copytree(index / "index", folder)
    rng = np.random.default_rng(0)
    values = {row.sha256: rng.random(1665, np.float32) for row in open_index(folder).rows}
    long = next(iter(values.values()))
    long[-57:] = np.nan  # gtzan takes no long ones
    add_descriptors(folder, values, librosa="0.11")
    tracks = gather(folder, [], [])
    assert set(tracks.sets) == {"rp", "ssd", "gtzan"}
    assert (
        tracks.left_out
        == 4 - len(tracks.ids)
        == sum(np.isnan(values[r.sha256]).any() for r in open_index(folder).rows)
    )
    assert tracks.copies == (("a/two", "b/two again"),)
    assert main(["report", "--index", str(folder), "--out", str(tmp_path / "page.html")]) == 0
    for one in values.values():
        one[-57:] = np.nan
    add_descriptors(folder, values, librosa="0.11")
    tracks = gather(folder, [], [])
    assert (set(tracks.sets), tracks.left_out) == ({"rp", "ssd"}, 0)


# --- what is odd ---


@pytest.mark.parametrize("n", [1, 2, 3, 12])
def test_few_tracks(tmp_path, n):
    out = tmp_path / "page.html"
    assert main(["report", "--table", str(write_table(tmp_path / "t.csv", n)), "--out", str(out)]) == 0
    assert len(data_of(out)["near"][0]) == min(5, n - 1)


def test_tracks_that_are_all_equal(tmp_path):
    out = tmp_path / "page.html"
    table = write_table(tmp_path / "t.csv", 20, values=np.ones((20, 57)))
    assert main(["report", "--table", str(table), "--out", str(out)]) == 0
    text = out.read_text()
    assert "No column varies" in text
    assert set(data_of(out)["x"]) == {0}


def test_sets_without_tempo_and_loudness(tmp_path):
    out = tmp_path / "page.html"
    for sets, unit in ((("rp",), ""), (("ssd",), "sone")):
        write_collection(made_up_tracks(20, sets=sets), out)
        data = data_of(out)
        assert (data["tempo"], data["loudnessUnit"]) == (None, unit)
        assert (data["loudness"] is None) == (not unit)
        assert "stream-match features PATH --set gtzan" in out.read_text()


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ("id,x\n", "has no rows"),
        ("", "has no column id or filename"),
    ],
)
def test_tables_that_are_none(tmp_path, capsys, lines, sentence):
    table = tmp_path / "t.csv"
    table.write_text(lines)
    assert main(["report", "--table", str(table), "--out", str(tmp_path / "page.html")]) == 2
    told = capsys.readouterr().err
    assert sentence in told
    assert told.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


def test_nan_in_a_table(tmp_path, capsys):
    values = made_up(5)[0]["gtzan"]
    values[3, 7] = np.nan
    table = write_table(tmp_path / "t.csv", 5, values=values)
    assert main(["report", "--table", str(table), "--out", str(tmp_path / "page.html")]) == 2
    assert "no finite number" in capsys.readouterr().err


def test_a_page_does_not_replace_what_is_read(tmp_path, capsys):
    table = write_table(tmp_path / "t.csv", 5)
    link = tmp_path / "t.html"
    link.symlink_to(table)
    assert main(["report", "--table", str(table), "--out", str(link)]) == 2
    assert "is what is read" in capsys.readouterr().err


def test_hostile_names_are_only_text(tmp_path):
    out = tmp_path / "page.html"
    ids = [f"{name} {number}" for number, name in enumerate(HOSTILE * 3)]
    tracks = made_up_tracks(len(ids), ids=ids, titles=[*HOSTILE, *ids[len(HOSTILE) :]])
    write_collection(tracks, out)
    text = out.read_text(encoding="utf-8")
    assert text.count("<script") == text.count("</script") == 2
    assert not re.search(r"<(img src=x|svg)|[\u2028\u2029\u202e]", text)
    assert data_of(out)["title"][0] == HOSTILE[0]


@given(st.text())
def test_what_is_escaped_is_one_text(text):
    shown = escaped(text)
    assert not set(shown) & set("<>\"'")
    assert html.unescape(shown) == printable(text)


def test_groups_beyond_the_largest_are_others():
    names = [f"g{number}" for number in range(30) for _ in range(30 - number)]
    kept = largest_groups(names)
    assert list(kept) == [f"g{number}" for number in range(MOST_GROUPS - 1)]
    assert OTHERS not in kept
    assert len(largest_groups(list(GENRES))) == len(GENRES)


def test_scripts_and_styles_can_stand_in_a_page():
    for name in ("map.js", "list.js", "collection.js", "page.css"):
        assert not re.search(r"</|<!--|<script|\r", re.sub(r"\(\)|=> *", "", asset(name)), re.I), name
