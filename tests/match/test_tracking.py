"""The lives of matches, on made sequences: every transition of the table, every reason of rejection."""

from typing import get_args

import pytest
from made_sequences import REJECTED, WatchedArbiter
from tracking_scenarios import SCENARIOS

from stream_match.match.tracking.lifecycle import TRANSITIONS, Cue, State, transition
from stream_match.match.tracking.trace import REASONS, Rejection


@pytest.fixture(scope="module")
def outcomes():
    """What went wrong in each scenario, if anything; each is run once."""
    WatchedArbiter.seen.clear()
    REJECTED.clear()
    wrong = {}
    for name, scenario in SCENARIOS.items():
        try:
            scenario()
        except Exception as error:  # noqa: BLE001 - the test of this scenario raises it
            wrong[name] = error
    return wrong


@pytest.mark.parametrize("name", SCENARIOS)
def test_life(outcomes, name):
    if name in outcomes:
        raise outcomes[name]


def test_every_transition_is_reached(outcomes):
    assert {(row.state, row.cue, row.following) for row in TRANSITIONS} <= WatchedArbiter.seen


def test_every_reason_is_reached(outcomes):
    of_versions = {"faint", "behind", "sounding"}
    of_both = {"score", "past", "known", "explained", None}
    assert {reason for lane, reason in REJECTED if lane == "version"} == of_versions | of_both
    assert {reason for lane, reason in REJECTED if lane == "recording"} == {*REASONS, None} - of_versions


def test_every_reason_has_its_sentence():
    assert set(REASONS) == set(get_args(Rejection))


def test_what_has_ended_is_over():
    assert all(transition(State.ENDED, cue) is None for cue in Cue)
