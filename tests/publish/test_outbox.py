from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from publish_samples import cluster, genre, match, onset, sound, sounds_like, status

from stream_match.publish.outbox import Outbox

CAPACITY = 5
MAKERS = {
    "onset": onset,
    "onset_cluster": sound,
    "genre": genre,
    "sounds_like": sounds_like,
    "status": status,
    "cluster": cluster,
}
RANKS = ("onset", "onset_cluster", "updated", "genre", "sounds_like", "status", "cluster", "started", "ended")
WORTH = {kind: worth for worth, kind in enumerate(RANKS)}


def kind_of(event):
    return event.phase if event.type == "match" else event.type


class OutboxMachine(RuleBasedStateMachine):
    """Drives an outbox beside a plain list that says what it should hold."""

    def __init__(self):
        super().__init__()
        self.outbox = Outbox(CAPACITY)
        self.model = []
        self.number = 0
        self.dropped = 0

    @rule(kind=st.sampled_from(sorted(WORTH)))
    def put(self, kind):
        self.number += 1
        event = MAKERS[kind](self.number) if kind in MAKERS else match(self.number, kind)
        self.model.append(event)
        lost = self.outbox.put(event)
        expected = None
        if len(self.model) > CAPACITY:
            worthless = [event for event in self.model[1:] if kind_of(event) != "ended"]
            expected = min(worthless, key=lambda event: WORTH[kind_of(event)], default=None)
        assert lost is expected
        if expected is not None:
            self.model.remove(expected)
            self.dropped += 1

    @rule()
    def deliver(self):
        head = self.outbox.head()
        assert head is (self.model[0] if self.model else None)
        if head is not None:
            self.outbox.pop()
            del self.model[0]

    @invariant()
    def is_bounded_but_for_ends(self):
        others = sum(kind_of(event) != "ended" for event in self.model[1:])
        assert len(self.outbox) == len(self.model)
        assert len(self.outbox) <= CAPACITY or others == 0
        assert self.outbox.dropped == self.dropped

    def teardown(self):
        while self.model:
            self.deliver()


TestOutbox = OutboxMachine.TestCase
TestOutbox.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_the_head_is_never_dropped_for_it_may_be_under_way():
    outbox = Outbox(2)
    first = match(1, "updated")
    outbox.put(first)
    outbox.put(match(2, "ended"))
    lost = outbox.put(match(3, "started"))
    assert outbox.head() is first
    assert lost.event_id == "e000003"
