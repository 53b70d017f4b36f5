"""How much is claimed of a file."""

import numpy as np
import pytest
import soundfile
from music import catalogue, cut, noise, piece

from stream_match.config import MatchSettings
from stream_match.identify import identify_blocks, settings_for

PLACE_S = 0.2


@pytest.mark.parametrize(
    ("seconds", "alarms_per_hour"), [(0.1, 10), (3, 3), (5, 1.8), (20, 0.45), (90, 0.1), (720, 0.1)]
)
def test_one_unknown_file_in_four_hundred_may_get_a_name(tmp_path, seconds, alarms_per_hour):
    path = tmp_path / "some.wav"
    soundfile.write(path, np.zeros(int(seconds * 8000), np.int16), 8000)
    assert settings_for(path).max_false_alarms_per_hour == pytest.approx(alarms_per_hour)


@pytest.mark.parametrize("content", [None, b"", b"no audio"])
def test_a_file_that_does_not_tell_its_length_is_allowed_what_a_daemon_is(tmp_path, content):
    path = tmp_path / "some.wav"
    if content is not None:
        path.write_bytes(content)
    assert settings_for(path).max_false_alarms_per_hour == 0.1


@pytest.mark.parametrize(("first_s", "after_s", "seconds"), [(20, 28, 12), (9, 24, 12), (30, 40, 5)])
def test_what_is_told_of_a_match_that_jumps_is_true(first_s, after_s, seconds):
    """The last one ends when most of what was heard lately still agrees with where it was before."""
    song = piece(7, 60)
    jumping = np.concatenate([cut(song, 2, first_s), cut(song, after_s, seconds)])
    reference = catalogue({"song": song, **{f"p{seed}": piece(seed, 40) for seed in range(4)}})
    matches = identify_blocks(reference, "jumping.wav", [jumping], MatchSettings()).matches
    assert matches
    for found in matches:
        before = found.query_s < first_s
        place_s = found.query_s + 2 if before else found.query_s - first_s + after_s
        assert found.track.id == "song"
        assert found.reference_s == pytest.approx(place_s, abs=PLACE_S)


def test_repeats_are_told_at_the_time_of_the_place():
    verse = piece(6, 14)
    song = np.concatenate([verse, piece(201, 10), verse, piece(202, 10)])
    reference = catalogue({"song": song, **{f"p{seed}": piece(seed, 40) for seed in range(4)}})
    (found,) = identify_blocks(reference, "verse.wav", [cut(verse, 2, 9)], MatchSettings()).matches
    places = sorted([found.reference_s, *found.evidence.repeats_s])
    assert places == pytest.approx([found.query_s + 2, found.query_s + 26], abs=PLACE_S)


@pytest.mark.parametrize("where", ["middle", "end"])
@pytest.mark.parametrize("after", ["noise", "another", "unknown"])
def test_what_is_over_is_told_where_it_began(after, where):
    """Whatever follows: what is over does not go on elsewhere in its track, nor past its end."""
    song = piece(7, 60 if where == "middle" else 17)
    reference = catalogue({"song": song, **{f"p{seed}": piece(seed, 40) for seed in range(4)}})
    follows = {"noise": noise(3, 8, 0.01), "another": cut(piece(2, 40), 5, 10), "unknown": piece(99, 8)}[
        after
    ]
    y = np.concatenate([cut(song, 2, 15), follows])
    matches = identify_blocks(reference, "over.wav", [y], MatchSettings()).matches
    (found,) = [one for one in matches if one.track.id == "song"]
    assert found.query_s == pytest.approx(0, abs=0.5)
    assert found.reference_s == pytest.approx(2 + found.query_s, abs=PLACE_S)
