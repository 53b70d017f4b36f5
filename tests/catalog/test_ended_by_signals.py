"""`index build` and `index add`, ended by a signal at many moments: promptly, and nothing is left behind."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from catalog_samples import contents, song, write

from stream_match.catalog import verify_index

ROOT = Path(__file__).parents[2]

# The command line; the function that the first argument names says so, and takes long.
SLOWED = """
import sys, time
from importlib import import_module

def slow(place, seconds):
    module, _, name = place.rpartition(".")
    home = import_module(module)
    function = getattr(home, name)

    def slowed(*args, **kwargs):
        print("at", name, file=sys.stderr, flush=True)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(0.01)
        return function(*args, **kwargs)

    setattr(home, name, slowed)

if __name__ == "__main__":
    slow(sys.argv[1], 20.0)
    from stream_match.cli import main
    sys.exit(main(sys.argv[2:]))
"""

HANGING = """
import sys, time
from stream_match.catalog import read

def hanging(path):
    path.with_suffix(".heard").touch()
    time.sleep(30)
    yield

read.read_blocks = hanging  # in the workers too: they import this file
if __name__ == "__main__":
    from stream_match.cli import main
    sys.exit(main(sys.argv[1:]))
"""

PHASES = [
    "build.read_metadata",
    "build.read_tracks",
    "build.fit_to_samples",
    "build.code_read",
    "build.write_generation",
]


def started(tmp_path, program, *args):
    script = tmp_path / "program.py"
    script.write_text(program)
    return subprocess.Popen(
        [sys.executable, str(script), *map(str, args)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def wait_for(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def others_of(session):
    """Processes of a session that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, of = stat.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        found += [stat.parent.name] if int(of) == session and state != "Z" else []
    return found


def check_ended(process, number, folder, left):
    _, errors = process.communicate(timeout=10)  # the pipe ends with the last worker
    assert process.returncode == 128 + number
    assert "Traceback" not in errors
    assert "stream-match:" not in errors
    assert sorted(path.name for path in folder.iterdir()) == left
    wait_for(lambda: not others_of(process.pid))


@pytest.fixture
def few(tmp_path):
    for seed in range(3):
        write(tmp_path / "music" / f"{seed}.wav", song(seed))
    (tmp_path / "place").mkdir()
    return tmp_path / "music"


@pytest.mark.parametrize(
    ("phase", "number"),
    [*((phase, signal.SIGTERM) for phase in PHASES), (PHASES[2], signal.SIGHUP)],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_a_build_that_is_ended_leaves_nothing(few, tmp_path, phase, number):
    place = tmp_path / "place"
    args = (f"stream_match.catalog.{phase}", "index", "build", few, "--out", place / "out", "--jobs", "1")
    process = started(tmp_path, SLOWED, *args)
    assert process.stderr.readline().startswith("at ")
    process.send_signal(number)
    check_ended(process, number, place, [])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("to_all", [False, True], ids=["to it alone", "to its group"])
def test_workers_end_with_it(few, tmp_path, number, to_all):
    place = tmp_path / "place"
    process = started(tmp_path, HANGING, "index", "build", few, "--out", place / "out", "--jobs", "2")
    wait_for(lambda: len(list(few.glob("*.heard"))) == 2)
    assert len(others_of(process.pid)) >= 3
    (os.killpg if to_all else os.kill)(process.pid, number)
    check_ended(process, number, place, [])


def test_workers_that_have_only_begun_to_start_end_with_it(few, tmp_path):
    place = tmp_path / "place"
    process = started(tmp_path, HANGING, "index", "build", few, "--out", place / "out", "--jobs", "2")
    wait_for(lambda: len(others_of(process.pid)) > 1)
    os.killpg(process.pid, signal.SIGTERM)
    check_ended(process, signal.SIGTERM, place, [])


@pytest.mark.parametrize("phase", ["edit.open_index", "edit.read_and_code", "edit.write_generation"])
def test_an_addition_that_is_ended_leaves_the_index_as_it_was(built, tmp_path, phase):
    write(tmp_path / "new.wav", song(9))
    index = shutil.copytree(built, tmp_path / "place" / "out")
    before = contents(index)
    args = (f"stream_match.catalog.{phase}", "index", "add", index, tmp_path / "new.wav", "--jobs", "1")
    process = started(tmp_path, SLOWED, *args)
    assert process.stderr.readline().startswith("at ")
    process.send_signal(signal.SIGTERM)
    check_ended(process, signal.SIGTERM, index.parent, ["out"])
    assert contents(index) == before


@pytest.mark.parametrize("phase", ["writing._publish", "writing._settle", "writing.clear"])
def test_what_must_not_be_broken_off_is_done_before_it_ends(built, music, tmp_path, phase):
    """The new index is in place, whole, and nothing else."""
    index = shutil.copytree(built, tmp_path / "place" / "out")
    args = (
        f"stream_match.catalog.{phase}",
        "index",
        "build",
        music / "disc 1",
        "--out",
        index,
        "--replace",
        "--jobs",
        "1",
    )
    process = started(tmp_path, SLOWED.replace("20.0", "0.5"), *args)
    assert process.stderr.readline().startswith("at ")
    for _ in range(3):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.05)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM, errors
    assert sorted(path.name for path in index.parent.iterdir()) == ["out"]
    assert verify_index(index) == []


def test_under_nohup_a_closed_terminal_ends_nothing(few, tmp_path):
    args = [
        sys.executable,
        "-m",
        "stream_match",
        "index",
        "build",
        few,
        "--out",
        tmp_path / "out",
        "--jobs",
        "1",
    ]
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup has it; children inherit it
    try:
        process = subprocess.Popen(
            list(map(str, args)),
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
        )
        process.send_signal(signal.SIGHUP)
        _, errors = process.communicate(timeout=60)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert (process.returncode, "3 tracks" in errors) == (0, True)
