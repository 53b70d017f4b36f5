"""What is deleted for its age when the clock leaps: little, and all that is really old in the end."""

import asyncio
import contextlib
import logging
import os
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from service_fakes import EPOCH, run, world
from store.store_samples import opened, row

from stream_match.clips import ClipFolder
from stream_match.config import ClipSettings
from stream_match.publish.tasks import first_of
from stream_match.service.clip_keeper import ClipKeeper
from stream_match.service.pruning import PRUNE_EVERY_S, Pruner
from stream_match.service.steady_time import PACE, SLACK_S, SteadyTime
from stream_match.store.retention import DAY_S, Limits
from stream_match.store.rows import Batch

YEAR_S = 366 * DAY_S


class Clocks:
    """Time that a test lets pass, and a wall clock that it sets."""

    def __init__(self):
        self.now = 0.0
        self.wrong_s = 0.0
        self.world = replace(world(self), now=lambda: EPOCH + self.now + self.wrong_s)


STEPS = st.lists(
    st.tuples(st.floats(1, 5000), st.floats(-2 * YEAR_S, 2 * YEAR_S) | st.just(0.0)), max_size=30
)


@given(STEPS, st.floats(-YEAR_S, 0) | st.none())
def test_it_is_never_ahead_of_the_clock_and_never_leaps(steps, newest):
    clocks = Clocks()
    time = SteadyTime(clocks.world)
    believed = time.now(None if newest is None else EPOCH + newest)
    assert believed == (EPOCH if newest is None else min(EPOCH, EPOCH + newest + SLACK_S))
    latest = EPOCH + (newest + SLACK_S if newest is not None else 0.0)
    for passed_s, wrong_s in steps:
        clocks.now += passed_s
        clocks.wrong_s = wrong_s
        found = time.now()
        latest += PACE * passed_s
        clock = clocks.world.now()
        assert found <= min(clock, latest) + 1e-3
        assert time.behind_s == pytest.approx(max(0.0, clock - found) if found < clock else 0.0)
    # Once the clock is right, it is followed within a tenth of what it was ahead.
    clocks.wrong_s = 0.0
    clocks.now += YEAR_S / (PACE - 1) + 1
    assert time.now() == pytest.approx(clocks.world.now())


def test_a_clock_that_was_never_set_says_nothing():
    clocks = Clocks()
    time = SteadyTime(clocks.world)
    clocks.wrong_s = -EPOCH
    assert time.now(EPOCH) == 0.0
    assert not time.is_begun
    clocks.wrong_s = 0.0
    assert time.now(EPOCH) == EPOCH


# The store


def kept(folder, ages_days, limits):
    """A store with a state at each age."""
    store = opened(folder, limits)
    times = [datetime.fromtimestamp(EPOCH - age * DAY_S, UTC) for age in sorted(ages_days, reverse=True)]
    return store, Batch([row(number, time=time) for number, time in enumerate(times, 1)])


async def looked(clocks, pruner, looks):
    """Let it look so many times; portions of one look follow each other at once."""
    for _ in range(looks):
        clocks.now += PRUNE_EVERY_S
        await pruner.prune(None)
        while pruner.due_at == 0.0:
            await pruner.prune(None)


def test_a_clock_that_is_a_year_ahead_for_a_while_deletes_nothing(tmp_path, caplog):
    opening, batch = kept(
        tmp_path, [number / 10 for number in range(2000)], Limits(days=300, update_days=300)
    )
    clocks = Clocks()
    with opening as store:
        store.write(batch)
        pruner = Pruner(store, clocks.world)
        clocks.wrong_s = YEAR_S  # from the start on
        asyncio.run(looked(clocks, pruner, 2))
        # What is told meanwhile has the wrong time, and so it is found by the next process.
        store.write(
            Batch([row(9000 + n, time=datetime.fromtimestamp(clocks.world.now(), UTC)) for n in range(9)])
        )
        pruner = Pruner(store, clocks.world)
        asyncio.run(looked(clocks, pruner, 2))
        clocks.wrong_s = 0.0
        asyncio.run(looked(clocks, pruner, 2))
        clocks.wrong_s = YEAR_S  # while it runs
        asyncio.run(looked(clocks, pruner, 2))
        assert store.count_after(0) == 2009
    assert caplog.text.count("The clock has leapt 36") == 3


def test_what_is_old_after_a_month_without_a_listener_goes_within_days(tmp_path, caplog):
    opening, batch = kept(tmp_path, range(31, 231), Limits(days=100))
    clocks = Clocks()
    with opening as store:
        store.write(batch)
        pruner = Pruner(store, clocks.world)
        asyncio.run(looked(clocks, pruner, 1))
        first = store.count_after(0)
        assert 95 < first < 105  # what was too old when it was stopped
        asyncio.run(looked(clocks, pruner, round(33 * DAY_S / (PACE - 1) / PRUNE_EVERY_S) + 2))
        assert store.count_after(0) < first - 25
        assert store.count_after(0) == sum(31 + n + clocks.now / DAY_S <= 100 for n in range(200))
    assert caplog.text.count("or nothing was stored for so long") == 1


# Clips


def test_a_clock_that_is_ahead_deletes_no_clips(tmp_path, caplog):
    for age_days in range(0, 40, 2):
        path = tmp_path / "kitchen" / f"match-{age_days}.flac"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
        os.utime(path, (EPOCH - age_days * DAY_S,) * 2)

    def left():
        return sum(1 for _ in ClipFolder(tmp_path).clips())

    async def work(world):
        ahead = replace(world, now=lambda: world.now() + YEAR_S)
        for one, seconds in ((world, 10), (ahead, 3 * PRUNE_EVERY_S)):
            keeper = ClipKeeper(ClipFolder(tmp_path), ClipSettings(matches=True, keep_days=30), one)
            with contextlib.suppress(TimeoutError):
                await first_of(keeper.run(), asyncio.sleep(seconds))
            assert left() == (16 if one is world else 15)  # all but what a day is too much for
        keeper = ClipKeeper(ClipFolder(tmp_path), ClipSettings(matches=True, keep_days=30), ahead)
        await first_of(keeper.run(), asyncio.sleep(5 * DAY_S))

    with caplog.at_level(logging.INFO):
        run(work)
    assert left() == 0  # a clock that stays so is right in the end
    assert caplog.text.count("by a clock that has leapt") == 2
