import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_match.capture.base import Block
from stream_match.service.level import Level
from stream_match.service.opening import PIECE_SAMPLES, pieces
from stream_match.service.stamp import WINDOW_S, EventIds, HeardClock

CROCKFORD = set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")


@given(st.lists(st.floats(0, 2**47 / 1000), min_size=1, max_size=50))
def test_ids_are_unique_and_sorted_whatever_the_clock_does(times):
    clock = iter(times)
    ids = EventIds(lambda: next(clock), lambda bits: 2**bits - 1)
    made = [ids() for _ in times]
    assert made == sorted(set(made))
    assert all(len(one) == 26 and set(one) <= CROCKFORD for one in made)


def test_an_id_holds_its_time_as_a_ulid_does():
    made = EventIds(lambda: 1_469_918_176.385, lambda _: 0)()
    assert made.startswith("01ARYZ6S41")  # the example of the ULID specification


def test_a_late_block_does_not_move_the_time_of_the_others():
    clock = HeardClock(0.0)
    clock.begin(1001.0, 1.0)
    for second in range(2, 300):
        clock.hear(1000.0 + second + (5.0 if second % 7 else 0.0), float(second))
        assert clock.at(10.0) == 1010.0


@pytest.mark.parametrize("drift", [0.001, -0.001])
def test_the_clock_of_a_sound_card_is_followed(drift):
    clock = HeardClock(0.0)
    clock.begin(1000.0, 0.0)
    for second in range(1, 3600):
        arrived = 1000.0 + second * (1 + drift)
        clock.hear(arrived, float(second))
        assert abs(clock.at(float(second)) - arrived) < 2 * WINDOW_S * abs(drift) + 1e-6


def test_the_level_is_that_of_the_last_second():
    level = Level()
    assert level.dbfs is None
    level.hear(np.zeros(22_050, np.float32))
    assert level.dbfs == -120
    for _ in range(11):
        level.hear(np.full(2205, 0.5, np.float32))
    assert level.dbfs == pytest.approx(20 * math.log10(0.5), abs=0.05)
    level.hear(np.full(22_050, np.nan, np.float32))
    assert level.dbfs is None


@given(st.integers(0, 3 * PIECE_SAMPLES + 1))
def test_pieces_are_the_block(n):
    y = np.arange(n, dtype=np.float32)
    cut = list(pieces(Block(y, gap_s=1.0, discontinuity=True, metadata={"a": "b"})))
    np.testing.assert_array_equal(np.concatenate([piece.y for piece in cut]), y)
    assert all(piece.y.size <= PIECE_SAMPLES for piece in cut)
    assert (cut[0].gap_s, cut[0].discontinuity, cut[0].metadata) == (1.0, True, {"a": "b"})
    assert all(piece.gap_s == 0 and not piece.discontinuity for piece in cut[1:])
