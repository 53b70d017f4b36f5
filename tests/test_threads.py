"""In a program of a library's user, our products take one thread, and the program keeps its own."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import faiss
import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from stream_match.index.faiss_index import FaissIndex, build_faiss
from stream_match.threads import one_thread

ROOT = Path(__file__).parents[1]

PROGRAM = """
import json, sys, threading, time
import faiss, numpy as np
from threadpoolctl import threadpool_info
from stream_match import Engine, load_index
from stream_match.match.recording_lane import RecordingLane

def blas():
    # Not the one of FAISS: binary codes are compared without it.
    return {one["num_threads"] for one in threadpool_info() if one["internal_api"] == "openblas"
            and "faiss" not in one["filepath"]}

def threads():
    return len(list(__import__("os").scandir("/proc/self/task")))

seen = {"blas": set(), "faiss": set()}
decide = RecordingLane._decide
def watched(self, query):
    seen["blas"] |= blas()
    return decide(self, query)
RecordingLane._decide = watched

class Spy:
    def __init__(self, index):
        self._index = index
    def __getattr__(self, name):
        return getattr(self._index, name)
    def search(self, *args, **options):
        seen["faiss"].add(faiss.omp_get_max_threads())
        return self._index.search(*args, **options)

reference = load_index(sys.argv[1])
neighbours = [segment.neighbours for segment in reference.segments]
for index in neighbours:
    index._index = Spy(index._index)
before = sorted(blas()), faiss.omp_get_max_threads()

def listen():
    engine = Engine(reference)
    y = np.sin(np.arange(22_050 * 8) / 30).astype(np.float32)
    engine.feed(y)
    engine.flush()

listen()  # the first time, libraries are loaded
at_first = threads()
for numbers in seen.values():
    numbers.clear()
listener = threading.Thread(target=listen)
listener.start()
listener.join()
for _ in range(200):  # the system takes a moment to forget a thread that has ended
    if threads() > at_first:
        time.sleep(0.01)
json.dump({
    "blas": sorted(seen["blas"]), "faiss": sorted(seen["faiss"]), "new threads": threads() - at_first,
    "before": before, "after": (sorted(blas()), faiss.omp_get_max_threads()),
}, sys.stdout)
"""


def test_a_program_that_listens_is_bounded_and_keeps_its_own_settings():
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    environment |= {"OPENBLAS_NUM_THREADS": "3", "OMP_NUM_THREADS": "3", "PYTHONPATH": str(ROOT)}
    args = [sys.executable, "-c", PROGRAM, ROOT / "models" / "demo"]
    done = subprocess.run(args, capture_output=True, text=True, env=environment, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["blas"] == [1]
    assert told["faiss"] == [1]
    assert told["new threads"] == 0
    assert told["before"] == told["after"]
    assert told["before"][1] == 3


def blas_threads():
    return {
        one["num_threads"]
        for one in threadpool_info()
        if one["internal_api"] == "openblas" and "faiss" not in one["filepath"]
    }


def test_what_a_program_chose_comes_back_whoever_ends_first():
    with threadpool_limits(limits=2, user_api="blas"):
        before = blas_threads()
    if before != {2}:
        pytest.skip("this BLAS has one thread")
    before = blas_threads()
    entered, leave = threading.Event(), threading.Event()

    def compute():
        with one_thread():
            entered.set()
            leave.wait(10)

    other = threading.Thread(target=compute)
    other.start()
    entered.wait(10)
    with one_thread():
        assert blas_threads() == {1}
    assert blas_threads() == {1}
    leave.set()
    other.join()
    assert blas_threads() == before
    with pytest.raises(ValueError, match="no"), one_thread():
        raise ValueError("no")
    assert blas_threads() == before


def test_the_limit_holds_for_whoever_computes_longest():
    """As an engine's few milliseconds within the minutes of a build."""
    with threadpool_limits(limits=2, user_api="blas"):
        if blas_threads() != {2}:
            pytest.skip("this BLAS has one thread")
        entered, leave, left = threading.Event(), threading.Event(), threading.Event()

        def compute():
            with one_thread():
                entered.set()
                leave.wait(10)
            left.set()

        other = threading.Thread(target=compute)
        other.start()
        entered.wait(10)
        with one_thread():
            leave.set()
            left.wait(10)
            assert blas_threads() == {1}
        other.join()
        assert blas_threads() == {2}


def test_faiss_keeps_the_number_of_every_thread_that_calls():
    class Index:
        ntotal, d = 4, 64

        def search(self, *_, **__):
            seen.append(faiss.omp_get_max_threads())
            return np.zeros((1, 1), np.int32), np.zeros((1, 1), np.int64)

    def search():
        faiss.omp_set_num_threads(3)
        build_faiss(np.zeros((4, 8), np.uint8))
        FaissIndex(Index()).search(np.zeros((1, 8), np.uint8), 1)
        seen.append(faiss.omp_get_max_threads())

    seen = []
    caller = threading.Thread(target=search)
    caller.start()
    caller.join()
    assert seen == [1, 3]
