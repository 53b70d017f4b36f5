"""Tracks of an index that are like one of them, or like a file; and the page that lists them."""

import json
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
import soundfile

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.repertoire import PIECES
from stream_match.capture.synth import render
from stream_match.catalog import add_tracks, build_index, list_tracks
from stream_match.catalog.describe import add_descriptors
from stream_match.catalog.described import read_descriptors
from stream_match.cli import main
from stream_match.descriptors.distances import METRICS, distances, fit_z_score, fuse
from stream_match.errors import SinkError, UsageError
from stream_match.events import Track
from stream_match.offline.tables import compared
from stream_match.offline.tables.compared import Collection, Similar
from stream_match.offline.tables.described import by_all_sets
from stream_match.offline.tables.similar import similar_in_index
from stream_match.offline.tables.similar_page import write_page

NAMES = ("disc/one", "disc/two", "three", "four", "short")
HOSTILE = '"><script>alert(1)</script><img src=http://x/y onerror=alert(2)>\x1b[2J\u202e'


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    folder = tmp_path_factory.mktemp("music")
    (folder / "disc").mkdir()
    for number, name in enumerate((*NAMES, "unknown")):
        y = render(PIECES[number])[: (5 if name == "short" else 7) * SAMPLE_RATE_HZ]
        soundfile.write(folder / f"{name}.wav", y, SAMPLE_RATE_HZ, "FLOAT")
    return folder


@pytest.fixture(scope="module")
def built(music, tmp_path_factory):
    """An index of five tracks; one of them is described by one set only."""
    place = tmp_path_factory.mktemp("built")
    (place / "names.csv").write_text("id,title,artist\nthree,Drei,Anna\n")
    folder = shutil.copytree(music, place / "music")
    (folder / "unknown.wav").unlink()
    build_index([folder], place / "index", jobs=1, metadata=place / "names.csv")
    rng = np.random.default_rng(3)
    rows = {}
    for row in list_tracks(place / "index"):
        rows[row.sha256] = rng.standard_normal(1665).astype(np.float32)
        if row.id == "short":
            rows[row.sha256][:1608] = np.nan
    add_descriptors(place / "index", rows, librosa="0.11.0")
    return place / "index"


@pytest.fixture
def index(built, tmp_path):
    return shutil.copytree(built, tmp_path / "index")


@pytest.mark.parametrize("rows_at_once", [1, 3, 1000])
@pytest.mark.parametrize("metric", METRICS)
def test_distances_are_those_of_the_whole_table(built, metric, rows_at_once, monkeypatch):
    monkeypatch.setattr(compared, "_ROWS", rows_at_once)
    found = similar_in_index("three", built, metric=metric)
    described = read_descriptors(built)
    rows = [place for place, name in enumerate(described.ids) if name != "short"]
    fused = fuse({name: described.sets[name][rows] for name in ("rp", "ssd")})
    table = fit_z_score(fused.table)(fused.table)
    asked = [described.ids[row] for row in rows].index("three")
    expected = dict(
        zip(
            (described.ids[row] for row in rows),
            distances(table[asked], table, metric, lengths=fused.lengths),
            strict=True,
        )
    )
    assert expected.pop("three") == pytest.approx(0, abs=1e-12)
    assert dict(found.tracks) == pytest.approx(expected, rel=1e-12)
    assert [far for _, far in found.tracks] == sorted(dict(found.tracks).values())
    assert (found.query, found.count, found.sets) == ("three", 3, ("rp", "ssd"))


def test_sets_and_weights(built):
    found = similar_in_index("short", built, sets=["gtzan"])
    assert (found.sets, found.count, found.left_out, found.hints) == (("gtzan",), 4, 0, ())
    described = read_descriptors(built)
    values = described.sets["gtzan"].astype(float)
    table = fit_z_score(values)(values)
    place = described.ids.index("short")
    expected = distances(table[place], table, "weighted", lengths={"gtzan": 57})
    for name, far in found.tracks:
        assert far == pytest.approx(expected[described.ids.index(name)])
    alone = similar_in_index("three", built, sets=["ssd"], metric="scaled")
    weighted = similar_in_index("three", built, weights={"rp": 0, "ssd": 1})
    assert dict(alone.tracks) == pytest.approx(dict(weighted.tracks))


def test_tracks_that_are_not_compared_are_told(index, music):
    add_tracks(index, [music / "unknown.wav"], jobs=1)
    found = similar_in_index("three", index)
    assert found.left_out == 2
    command = f"stream-match index describe {index} AUDIO…"
    assert found.hints == (
        "tracks that are too short or too long for rp, ssd are left out: 1",
        f"tracks without descriptors are left out: 1 ('unknown'); add them with {command}",
    )
    with pytest.raises(
        UsageError, match=r"the track 'unknown' has no descriptors: add them with .* describe"
    ):
        similar_in_index("unknown", index)
    with pytest.raises(
        UsageError, match=r"the track 'short' is too short or too long for rp or ssd: give oth"
    ):
        similar_in_index("short.wav", index)


def test_a_file_is_described_in_the_precision_of_the_index(index, music, monkeypatch):
    values, _ = by_all_sets(music / "three.wav")
    rows = {row.sha256: np.full(1665, 9, np.float32) for row in list_tracks(index)}
    rows[next(row.sha256 for row in list_tracks(index) if row.id == "three")] = values
    add_descriptors(index, rows, librosa="0.11.0")
    shutil.copy(music / "three.wav", index.parent / "other name.wav")
    found = similar_in_index(str(index.parent / "other name.wav"), index, k=1)
    assert (found.query, found.count) == (str(index.parent / "other name.wav"), 5)
    assert found.tracks == (("three", 0.0),)
    # A file is heard even if it is a track that is not described.
    add_tracks(index, [music / "unknown.wav"], jobs=1)
    monkeypatch.chdir(music)
    assert similar_in_index("unknown.wav", index).query == "unknown.wav"


def test_equally_far_tracks_stand_in_the_order_of_the_index(index):
    rows = {row.sha256: np.full(1665, 2, np.float32) for row in list_tracks(index)}
    add_descriptors(index, rows, librosa="0.11.0")
    for metric in ("weighted", "l1", "l2", "scaled"):
        found = similar_in_index("four", index, metric=metric)
        assert found.tracks == tuple((name, 0.0) for name in ("disc/one", "disc/two", "short", "three"))


def test_one_track_is_not_enough(index):
    rows = {row.sha256: np.ones(1665, np.float32) for row in list_tracks(index)[:1]}
    add_descriptors(index, {**rows}, librosa="0.11.0")
    many = Collection("the index", ("a",), {"rp": np.ones((1, 3))}, np.arange(1))
    with pytest.raises(UsageError, match="there is one track, 'a', in the index; give two at least"):
        many.most_like("a", metric=None, weights=None, k=None)


# --- the command ---


def test_the_command_prints_lines_and_json(built, capfd):
    assert main(["similar", "four", "--index", str(built), "-k", "2", "--json"]) == 0
    out, err = capfd.readouterr()
    told = [json.loads(line) for line in out.splitlines()]
    found = similar_in_index("four", built, k=2)
    assert [(line["track"]["id"], line["distance"]) for line in told] == list(found.tracks)
    three = next((line["track"] for line in told if line["track"]["id"] == "three"), None)
    assert three in (None, {"id": "three", "title": "Drei", "artist": "Anna"})
    assert err.count("\n") == 1
    assert "left out: 1" in err
    assert main(["similar", "four", "--index", str(built)]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0] == "four: weighted distance by rp, ssd, 3 tracks"
    assert len(lines) == 4
    (three,) = (line for line in lines if " three" in line)
    assert three.endswith("  three  Drei – Anna")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("four", "one of the arguments --index --table is required"),
        ("four --index {0} --table t.csv", "argument --table: not allowed with argument --index"),
        ("fou --index {0}", "'fou' is neither a track of the index '{0}' nor a file; did you mean 'four'?"),
        ("four --index {0} -k 4", "k is 4; give 1 to 3, the number of tracks to compare with"),
        ("four --index {0} --sets rp,rp", "'rp,rp' names no sets as rp,ssd,gtzan does"),
        ("four --index {0} --sets mfcc", "'mfcc' names no sets as rp,ssd,gtzan does"),
        ("four --index {0} --weights gtzan=1", "weights name gtzan; give weights of rp, ssd"),
        ("four --index {0} --audio {0}", "--audio is given, and no page to play it; give --html OUT"),
        ("four --table t.csv --sets rp", "--sets is given, and tables hold sets of their own"),
        ("four --index {0} --html no/out.html", "--html 'no/out.html' is in a folder that is not there"),
        ("four --index {0} --html {0}", "is a folder; name a file in it"),
        ("four --index {0} --html out.html --audio no", "'no' cannot be read"),
    ],
)
def test_a_mistake_is_one_sentence(built, tmp_path, monkeypatch, capfd, words, told):
    monkeypatch.chdir(tmp_path)
    try:
        status = main(["similar", *words.format(built).split()])
    except SystemExit as error:
        status = error.code
    out, err = capfd.readouterr()
    lines = [line for line in err.splitlines() if "left out" not in line]
    assert (status, out, len(lines)) == (2, "", 1)
    assert told.format(built) in lines[0]
    assert list(tmp_path.iterdir()) == []


def test_an_index_without_descriptors_says_how_to_add_them(music, tmp_path, capfd):
    build_index([music / "three.wav", music / "four.wav"], tmp_path / "index", jobs=1)
    assert main(["similar", "three", "--index", str(tmp_path / "index")]) == 2
    shown = tmp_path / "index"
    told = f"the index '{shown}' has no descriptors: add them with stream-match index describe {shown} AUDIO…"
    assert capfd.readouterr() == ("", f"stream-match: {told}\n")


# --- the page ---


class Seen(HTMLParser):
    """Elements of a page, their attributes, and its text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text = [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, name):
        return [attributes for tag, attributes in self.elements if tag == name]


def test_the_page_has_a_player_for_each_track_whose_file_is_there(built, music, tmp_path, capfd):
    out = tmp_path / "pages" / "out.html"
    out.parent.mkdir()
    words = ["similar", "four", "--index", str(built), "--html", str(out), "--audio", str(music / "disc")]
    assert main([*words, str(music / "three.wav"), "--json"]) == 0
    assert len(capfd.readouterr().out.splitlines()) == 3
    assert main([*words[:-1], str(music), "--json"]) == 0
    page = Seen(out.read_text(encoding="utf-8"))
    players = [(out.parent / unquote(one["src"])).resolve() for one in page.all("audio")]
    listed = [name for name, _ in similar_in_index("four", built).tracks]
    assert players == [music / f"{name}.wav" for name in ("four", *listed)]
    assert "Drei – Anna" in page.text
    assert "The 3 nearest of 3 tracks." in page.text
    assert "left out: 1." in page.text
    bars = [float(one["style"].split()[1].rstrip("%")) for one in page.all("div") if one["class"] == "bar"]
    assert bars == sorted(bars)
    assert bars[-1] == 100


def test_names_are_text_whatever_they_say_and_nothing_is_fetched(tmp_path):
    folder = tmp_path / 'a "quoted"# 100%?'
    folder.mkdir()
    audio = folder / "<b>&'.wav"
    audio.touch()
    known = {HOSTILE: Track(id=HOSTILE, title=HOSTILE, artist="{title}{0}"), "b": Track(id="b")}
    found = Similar(HOSTILE, "weighted", ("rp",), 9, ((HOSTILE, 1.5), ("b", 2.0)), 1, (HOSTILE,), known)
    write_page(found, tmp_path / "out.html", {HOSTILE: audio})
    text = (tmp_path / "out.html").read_text(encoding="utf-8")
    page, plain = Seen(text), Seen((tmp_path / "out.html").read_text(encoding="utf-8"))
    assert page.elements == plain.elements
    assert {tag for tag, _ in page.elements} == {
        *("html", "head", "meta", "title", "style", "body", "h1", "p", "audio", "ol", "li", "span", "div")
    }
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert [tmp_path / unquote(one["src"]) for one in page.all("audio")] == [audio, audio]
    assert all("src" not in attributes for tag, attributes in page.elements if tag != "audio")
    assert "http://x/y" in page.text
    assert "\x1b" not in text
    assert "\u202e" not in text
    (policy,) = (one["content"] for one in page.all("meta") if "http-equiv" in one)
    assert policy.startswith("default-src 'none';")


def test_a_file_that_is_asked_about_has_a_player_too(tmp_path):
    asked = tmp_path / "asked.ogg"
    asked.touch()
    found = Similar(str(asked), "l2", ("ssd",), 1, (("a", 0.0),))
    write_page(found, tmp_path / "out.html", {})
    page = Seen((tmp_path / "out.html").read_text(encoding="utf-8"))
    assert [one["src"] for one in page.all("audio")] == ["asked.ogg"]


def test_a_page_that_cannot_be_written_is_told_and_leaves_what_was_there(tmp_path, monkeypatch):
    (tmp_path / "out.html").write_text("before")

    def full(path, *_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(SinkError, match=r"out.html' cannot be written: No space left on device"):
        write_page(Similar("a", "l2", ("ssd",), 1, (("b", 0.0),)), tmp_path / "out.html", {})
    assert [path.name for path in tmp_path.iterdir()] == ["out.html"]
    assert (tmp_path / "out.html").read_bytes() == b"before"
