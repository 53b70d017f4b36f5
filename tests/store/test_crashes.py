"""A process that is killed while it writes: the store opens, and has all that was written."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from store_samples import KINDS, opened, row

from stream_match.errors import StoreError
from stream_match.store.migrations import MIGRATIONS

HERE = Path(__file__).parent
ROUNDS = 12
MOST_LINES = 120


def killed(folder, first, lines):
    """Let a process write from a number on; kill it when it has told so many lines. Return its last word."""
    process = subprocess.Popen(
        [sys.executable, HERE / "killed_writer.py", folder, str(first)],
        stdout=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), str(HERE.parent), str(HERE)]),
        },
    )
    try:
        told = [process.stdout.readline() for _ in range(lines + 1)]
        process.send_signal(signal.SIGKILL)
        told += process.stdout.readlines()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert told[0] == "open\n"
    whole = [int(line) for line in told[1:] if line.endswith("\n")]
    return whole[-1] if whole else first - 1


def test_a_writer_that_is_killed_at_any_moment_leaves_a_whole_store(tmp_path):
    chance = random.Random(19)
    last = 0
    for _ in range(ROUNDS):
        with opened(tmp_path) as store:  # as the next process finds it
            first = store.last_seq() + 1
        last = killed(tmp_path, first, chance.randrange(MOST_LINES))
        with opened(tmp_path) as store:
            written = store.last_seq()
            assert written >= last  # what it said was written is written
            rows = store.after(0, 100_000)
            seqs = [one.seq for one in rows]
            assert seqs == sorted(set(seqs))
            for one in rows[-50:]:
                assert one == row(one.seq, KINDS[one.seq % len(KINDS)], source=f"s{one.seq % 3}")
            # A batch has 1 to 5 rows and a place: all of it is there or nothing.
            assert written - 4 <= store.positions()["mqtt"] <= written
            with store.read() as reader:
                assert reader.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert last > ROUNDS


def test_a_migration_that_is_cut_short_is_done_again(tmp_path, monkeypatch):
    """The statements run in one transaction: half of them leave nothing."""
    good = ("CREATE TABLE more (x)",)
    monkeypatch.setattr("stream_match.store.migrations.MIGRATIONS", (*MIGRATIONS, (*good, "nonsense")))
    monkeypatch.setattr("stream_match.store.migrations.VERSION", len(MIGRATIONS) + 1)
    with pytest.raises(StoreError, match="syntax error"), opened(tmp_path):
        pass
    monkeypatch.setattr("stream_match.store.migrations.MIGRATIONS", (*MIGRATIONS, good))
    with opened(tmp_path) as store, store.read() as reader:
        assert reader.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS) + 1,)
        assert reader.execute("SELECT count(*) FROM more").fetchone() == (0,)
