"""Questions of several threads, gathered: each has its own answers, in few requests."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from stream_match.index.port import NotAtHandError
from stream_match.milvus.gathered import REQUESTS, Gathered

PATIENCE_S = 20


class Server:
    """Answers with the squares of numbers, once it is told to."""

    def __init__(self):
        self.requests = []
        self.open = threading.Semaphore(0)
        self.asked = threading.Semaphore(0)
        self.most_at_once = 0
        self.error = None
        self._at_once = 0
        self._lock = threading.Lock()

    def send(self, key, items):
        with self._lock:
            self.requests.append((key, items))
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        self.asked.release()
        assert self.open.acquire(timeout=PATIENCE_S)
        with self._lock:
            self._at_once -= 1
        if self.error is not None:
            raise self.error
        return [item**2 for item in items]


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def pool():
    with ThreadPoolExecutor(32) as made:
        yield made


def filled(server, gathered, pool, key="a"):
    """Have as many requests under way as there may be."""
    first = []
    for number in range(REQUESTS):
        first.append(pool.submit(gathered.ask, key, [number]))
        assert server.asked.acquire(timeout=PATIENCE_S)
    return first


def wait_for(gathered, n):
    """Wait until so many questions wait."""
    for _ in range(20_000):
        if gathered.waiting == n:
            return
        time.sleep(0.001)
    pytest.fail("they do not wait")


def test_one_thread_is_answered_at_once(server):
    server.open.release()
    assert Gathered(server.send, most=8).ask("a", [2, 3]) == [4, 9]
    assert server.requests == [("a", [2, 3])]


def test_questions_that_come_meanwhile_go_as_one_request_and_each_has_its_own_answers(server, pool):
    gathered = Gathered(server.send, most=100)
    first = filled(server, gathered, pool)
    others = [pool.submit(gathered.ask, "a", [10 * number, 10 * number + 1]) for number in range(1, 6)]
    wait_for(gathered, 5)
    server.open.release(REQUESTS + 1)
    assert [one.result(PATIENCE_S) for one in first] == [[number**2] for number in range(REQUESTS)]
    found = [one.result(PATIENCE_S) for one in others]
    assert found == [[(10 * n) ** 2, (10 * n + 1) ** 2] for n in range(1, 6)]
    assert len(server.requests) == REQUESTS + 1
    assert server.most_at_once == REQUESTS


def test_a_request_has_no_more_than_the_most_unless_one_question_has(server, pool):
    gathered = Gathered(server.send, most=4)
    filled(server, gathered, pool)
    others = [pool.submit(gathered.ask, "a", [*range(size)]) for size in (3, 3, 1, 9)]
    wait_for(gathered, 4)
    server.open.release(100)
    for one, size in zip(others, (3, 3, 1, 9), strict=True):
        assert one.result(PATIENCE_S) == [item**2 for item in range(size)]
    assert sorted(len(items) for _, items in server.requests[REQUESTS:]) == [3, 4, 9]


def test_only_questions_with_equal_keys_go_together(server, pool):
    gathered = Gathered(server.send, most=100)
    filled(server, gathered, pool)
    others = [pool.submit(gathered.ask, key, [number]) for number, key in enumerate("abab")]
    wait_for(gathered, 4)
    server.open.release(100)
    assert [one.result(PATIENCE_S) for one in others] == [[0], [1], [4], [9]]
    assert sorted((key, len(items)) for key, items in server.requests[REQUESTS:]) == [("a", 2), ("b", 2)]


def test_a_failure_is_told_to_all_who_wait_for_it_and_to_nobody_later(server, pool):
    gathered = Gathered(server.send, most=100)
    first = filled(server, gathered, pool)
    server.error = NotAtHandError("it is away")
    others = [pool.submit(gathered.ask, "a", [number]) for number in range(3)]
    wait_for(gathered, 3)
    server.open.release(100)
    for one in (*first, *others):
        with pytest.raises(NotAtHandError, match="it is away"):
            one.result(PATIENCE_S)
    server.error = None
    assert gathered.ask("a", [3]) == [9]


def test_many_threads_are_all_answered(server, pool):
    gathered = Gathered(server.send, most=16)
    server.open.release(10_000)
    asked = [[number, number + 1] for number in range(500)]
    found = pool.map(lambda items: gathered.ask("a", items), asked, timeout=PATIENCE_S)
    assert [*found] == [[item**2 for item in items] for items in asked]
    assert server.most_at_once <= REQUESTS
