import shutil

import numpy as np
import pytest
from catalog_samples import song

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.catalog import load_index, update_index
from stream_match.catalog.edit import remove_tracks
from stream_match.catalog.marked import LEAST_S, MARKED, MOST_ID_BYTES, MOST_LETTERS, mark_track, marked_id
from stream_match.clips.samples import sixteen_bits
from stream_match.engine import Engine
from stream_match.errors import CatalogError, UsageError


def sung(number, seconds):
    return sixteen_bits(song(number, seconds))


def ids(index):
    return {track.id for track in load_index(index).tracks.named}


def test_a_marked_stretch_is_a_track_with_a_title_and_is_recognised(index):
    jingle = song(77, 6.0)
    before = ids(index)
    assert mark_track(index, sixteen_bits(jingle), " Ding Dóng! ") == "marked/ding-dong"
    assert ids(index) == before | {"marked/ding-dong"}
    catalogue = load_index(index)
    heard = np.concatenate([song(78, 8.0), jingle, song(79, 8.0)])
    engine = Engine(catalogue)
    facts = engine.feed(heard) + engine.flush()
    assert {(one.track.id, one.track.title) for one in facts} == {("marked/ding-dong", "Ding Dóng!")}


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (sung(1, LEAST_S)[: -SAMPLE_RATE_HZ // 10], "is 2.9 s long: a reference needs 3 s"),
        (np.zeros(0, np.int16), "is 0.0 s long"),
        (np.zeros(10 * SAMPLE_RATE_HZ, np.int16), "10.0 s, 0.0 s are audible"),
        (
            np.concatenate([sung(1, 2.0), np.zeros(5 * SAMPLE_RATE_HZ, np.int16)]),
            "are audible: a reference needs 3 s of sound",
        ),
        (np.zeros(3601 * SAMPLE_RATE_HZ, np.int16), "may have 3600 s"),
    ],
)
def test_what_makes_no_reference_is_refused_with_a_sentence_and_nothing_changes(index, y, said):
    manifest = (index / "manifest.json").read_bytes()
    with pytest.raises(UsageError, match=said):
        mark_track(index, y, "doorbell")
    assert (index / "manifest.json").read_bytes() == manifest


@pytest.fixture
def installed(index, tmp_path, monkeypatch):
    """The index as one that came with the program, in an installed package or in a checkout."""

    def place(models):
        folder = tmp_path / models / "demo"
        shutil.copytree(index, folder)
        monkeypatch.setattr("stream_match.shipped._PACKAGE", tmp_path / "package")
        return folder

    return place


@pytest.mark.parametrize("models", ["package/models", "models"])
def test_an_index_that_came_with_the_program_stays_as_it_is(installed, models, tmp_path):
    shipped = installed(models)
    files = {path: path.read_bytes() for path in shipped.rglob("*") if path.is_file()}
    (tmp_path / "link").symlink_to(shipped)
    for way in (shipped, shipped / ".." / "demo", tmp_path / "link"):
        with pytest.raises(UsageError) as refused:
            mark_track(way, sung(1, 4.0), "doorbell")
        assert str(refused.value) == (
            f"The index {str(way)!r} comes with stream-match and stays as it is: make a copy with "
            f"cp -r {way} my-index, and use that (--index my-index)."
        )
    assert {path: path.read_bytes() for path in shipped.rglob("*") if path.is_file()} == files
    copy = shutil.copytree(shipped, shipped.with_name("mine"))
    assert mark_track(copy, sung(1, 4.0), "doorbell") == "marked/doorbell"


@pytest.mark.parametrize("name", ["", "  ", "!?", "...", "/", "\0", "\N{COMBINING ACUTE ACCENT}", "\udcff"])
def test_a_name_that_says_nothing_is_refused(index, name):
    with pytest.raises(UsageError, match="no name for a reference"):
        mark_track(index, sung(1, 4.0), name)


@pytest.mark.parametrize(
    ("name", "id_"),
    [
        ("Doorbell", "marked/doorbell"),
        ("../../etc/passwd", "marked/etc-passwd"),
        ("звонок 2", "marked/звонок-2"),
        ("ночь (live)", "marked/ночь-live"),
        ("день (live)", "marked/день-live"),
        ("Straße", "marked/straße"),
        ("Ångström & Élan", "marked/angstrom-elan"),
        ("हिन्दी", "marked/हिन्दी"),
        ("звонок", "marked/звонок"),
        ("門鈴", "marked/門鈴"),
        ("a\0b", "marked/a-b"),
        ("..\\x", "marked/x"),
    ],
)
def test_no_name_leads_anywhere_else(name, id_):
    assert marked_id(name) == id_


@pytest.mark.parametrize("letter", ["x", "ж", "日", "𝕏"])
def test_as_long_a_name_as_may_be_becomes_a_track_and_a_longer_one_is_refused(index, letter):
    width = len(marked_id(letter).encode()) - len(MARKED)
    longest = letter * ((MOST_ID_BYTES - len(MARKED)) // width)
    assert mark_track(index, sung(77, 4.0), longest) == marked_id(longest)
    with pytest.raises(UsageError, match="is too long for a reference: give one of 200 characters, and 193 "):
        mark_track(index, sung(78, 4.0), longest + letter)
    with pytest.raises(UsageError, match="is too long"):
        marked_id("x" + "!" * MOST_LETTERS)


def test_a_name_is_given_once(index):
    mark_track(index, sung(77, 4.0), "Doorbell")
    with pytest.raises(UsageError, match="has a track 'marked/doorbell' already"):
        mark_track(index, sung(78, 4.0), "doorbell")
    remove_tracks(index, ["marked/doorbell"])
    assert mark_track(index, sung(78, 4.0), "doorbell") == "marked/doorbell"


def test_what_was_marked_stays_when_folders_are_taken_in_anew(index, music, tmp_path):
    mark_track(index, sung(77, 4.0), "doorbell")
    folder = shutil.copytree(music, tmp_path / "music")
    gone = next(folder.rglob("song0.wav"))
    gone.unlink()
    report = update_index(index, [folder], jobs=1, progress=False)
    assert (report.removed, report.added) == (1, 0)
    assert "marked/doorbell" in ids(index)
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(next(folder.rglob("*.wav")), other / "stranger.wav")
    with pytest.raises(UsageError, match="none of the tracks"):
        update_index(index, [other], jobs=1, progress=False)


def test_what_is_no_index_is_refused(tmp_path):
    with pytest.raises(CatalogError):
        mark_track(tmp_path, sung(77, 4.0), "doorbell")
    assert list(tmp_path.iterdir()) == []
