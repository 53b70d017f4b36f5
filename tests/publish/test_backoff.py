import itertools

from stream_match.publish.backoff import Backoff


def test_doubles_up_to_the_cap():
    backoff = Backoff(1, 10, chance=lambda: 1.0)
    assert [backoff.next_s() for _ in range(6)] == [1, 2, 4, 8, 10, 10]


def test_begins_again_after_success():
    backoff = Backoff(1, 10, chance=lambda: 1.0)
    backoff.next_s(), backoff.next_s()
    backoff.reset()
    assert backoff.next_s() == 1


def test_chance_at_most_halves_the_time():
    chances = itertools.cycle([0.0, 0.5])
    backoff = Backoff(1, 1, chance=lambda: next(chances))
    assert [backoff.next_s() for _ in range(3)] == [0.5, 0.75, 0.5]


def test_the_longest_wait_can_change_on_the_way():
    backoff = Backoff(1, 300, chance=lambda: 1.0)
    assert [backoff.next_s(10) for _ in range(6)] == [1, 2, 4, 8, 10, 10]
    assert [backoff.next_s(60) for _ in range(4)] == [20, 40, 60, 60]
    assert backoff.next_s(10) == 10
