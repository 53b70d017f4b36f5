"""Which tracks hold the same recording."""

import numpy as np
import pytest
from codes import flipped, random_codes, reference_of

from stream_match.index import copies
from stream_match.index.catalogue import grouped
from stream_match.index.copies import copies_of, groups_by_label

SONG, JINGLE = random_codes(400, 1, 256), random_codes(24, 2, 256)


def labelled(catalogue, first=0):
    """The labels of tracks, those from `first` on being new: their own, and those in common."""
    labels = [{track.id} for track in catalogue.tracks.named]
    found = copies_of(catalogue, np.arange(first, len(labels)), labels)
    return [found.get(track, own) for track, own in enumerate(labels)]


def groups(*tracks, audible=None):
    found = groups_by_label(labelled(reference_of(tracks, n_bits=256, audible=audible)))
    return None if found is None else found.tolist()


def test_different_tracks_are_recordings_of_their_own():
    assert groups(*(random_codes(300, seed, 256) for seed in range(3, 40))) is None


def test_copies_share_the_first_ones_number():
    assert groups(random_codes(300, 3, 256), SONG, random_codes(90, 4, 256), SONG) == [0, 1, 2, 1]


def test_however_many_tracks_are_looked_at_together_the_same_are_copies(monkeypatch):
    tracks = [SONG, random_codes(300, 3, 256), flipped(SONG, 0.05, 1), JINGLE, SONG, flipped(JINGLE, 0.1, 2)]
    expected = [0, 1, 0, 3, 0, 3]
    for at_once in (1, 2, 5, 100):
        monkeypatch.setattr(copies, "_TRACKS_AT_ONCE", at_once)
        assert groups(*tracks) == expected


def test_many_copies_are_one_recording():
    assert groups(*[JINGLE] * 80, random_codes(24, 3, 256)) == [*[0] * 80, 80]


@pytest.mark.parametrize("song", [SONG, JINGLE], ids=["song", "jingle"])
def test_a_copy_may_be_coded_anew_and_begin_later(song):
    assert groups(song, random_codes(300, 3, 256), flipped(song[5:], 0.25, 6)) == [0, 1, 0]


def test_a_song_is_no_copy_of_a_mix_that_holds_it():
    mix = np.concatenate([random_codes(500, 3, 256), SONG, random_codes(500, 4, 256)])
    assert groups(SONG, mix) is None


def test_a_moment_that_two_tracks_share_makes_no_copies():
    other = random_codes(400, 3, 256)
    other[150:156] = SONG[150:156]
    assert groups(SONG, other) is None


def test_tracks_without_codes_or_sound_are_nobodys_copies():
    assert groups(SONG, SONG, audible=np.zeros(len(SONG), bool)) is None
    assert groups(SONG[:0], SONG[:0]) is None


@pytest.mark.parametrize("cuts", [(), (2,), (1, 2, 3)])
def test_only_what_is_new_is_looked_for_in_whatever_segments(cuts):
    tracks = [SONG, random_codes(300, 3, 256), flipped(SONG, 0.05, 1), SONG]
    catalogue = reference_of(tracks, n_bits=256, cuts=cuts)
    known = grouped(catalogue, np.array([0, 1, 0, 3]))
    labels = [{"song"}, {"track1"}, {"song"}, {"track3"}]
    assert copies_of(known, np.array([3]), labels) == {3: {"song", "track3"}}


def test_tracks_that_have_a_label_in_common_are_one_recording():
    assert groups_by_label([{"a"}, {"b"}, {"a", "c"}, {"c"}]).tolist() == [0, 1, 0, 0]
    assert groups_by_label([{"a"}, {"b"}]) is None
    assert groups_by_label([]) is None
