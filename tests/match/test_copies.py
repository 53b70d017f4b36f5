"""Which tracks hold the same recording."""

import numpy as np
import pytest
from match_samples import flipped, random_codes, reference_of

from stream_match.index.copies import groups_of

SONG, JINGLE = random_codes(400, 1, 256), random_codes(24, 2, 256)


def groups(*tracks):
    found = groups_of(reference_of(tracks, n_bits=256))
    return None if found is None else found.tolist()


def test_different_tracks_are_recordings_of_their_own():
    assert groups(*(random_codes(300, seed, 256) for seed in range(3, 40))) is None


def test_copies_share_the_first_ones_number():
    assert groups(random_codes(300, 3, 256), SONG, random_codes(90, 4, 256), SONG) == [0, 1, 2, 1]


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
    silent = reference_of([SONG, SONG], audible=np.zeros(len(SONG), bool), n_bits=256)
    assert groups_of(silent) is None
    assert groups_of(reference_of([SONG[:0], SONG[:0]], n_bits=256)) is None
