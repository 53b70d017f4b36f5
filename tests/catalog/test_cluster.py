"""Indexes built on a Dask cluster: the same bytes, whoever dies; and one sentence for what goes wrong."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from catalog_samples import contents, song, write
from dask_processes import DaskProcesses, wait_for
from distributed import Client
from ports import free_port

from stream_match.catalog import cluster as cluster_module
from stream_match.catalog import cluster_client
from stream_match.catalog.build import build_index
from stream_match.catalog.edit import add_tracks, compact_index
from stream_match.catalog.equal_results import Software, software
from stream_match.catalog.update import update_index
from stream_match.catalog.url_path import UrlPath
from stream_match.errors import CatalogError, UsageError

ROOT = Path(__file__).parents[2]

SLOW = """
import time
from stream_match.catalog import read

def slow(path, blocks=read.read_blocks):
    time.sleep(0.5)
    yield from blocks(path)

read.read_blocks = slow
"""

ENDLESS = """
import time
import numpy as np
from stream_match.catalog import read

def endless(path):
    while True:
        time.sleep(0.05)
        yield np.ones(1000, np.float32)

read.read_blocks = endless
"""

DEADLY = """
import os, signal
from stream_match.catalog import read

def deadly(path, blocks=read.read_blocks):
    if path.name == "song2.wav":
        os.kill(os.getpid(), signal.SIGKILL)
    yield from blocks(path)

read.read_blocks = deadly
"""

BLIND = """
from pathlib import Path

def blind(path, stat=Path.stat, **how):
    if path.suffix == ".wav" and "copy" not in path.name:
        raise FileNotFoundError(2, "No such file or directory", str(path))
    return stat(path, **how)

Path.stat = blind
"""

OTHER_RELEASE = """
from stream_match.catalog import equal_results
equal_results._version = lambda name: "0.0.9"
"""

OTHER_RESULTS = """
from stream_match.catalog import equal_results
equal_results._results = lambda: "other digits"
"""

FULL = """
import errno, os
from stream_match.catalog import cluster_work

def full(order, path, folder):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

cluster_work._read = full
"""

OTHER_ORDERS = """
from stream_match.catalog import cluster_work

def take(folder, number, order):
    raise AttributeError("module 'stream_match.catalog' has no attribute 'orders'")

cluster_work.take = take
"""

WITHOUT = """
import sys

class Without:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "stream_match":
            raise ModuleNotFoundError("No module named 'stream_match'", name=name)

sys.meta_path.insert(0, Without())
"""


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """A scheduler that gives up a file over which one worker has died."""
    environment = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
    processes = DaskProcesses(tmp_path_factory.mktemp("dask"), environment)
    yield processes
    processes.end()


@pytest.fixture
def cluster(scheduler):
    """The scheduler, without workers."""
    yield scheduler
    scheduler.end_workers()
    with Client(scheduler.address, set_as_default=False) as client:
        wait_for(lambda: not client.nthreads())


@pytest.fixture
def patient(tmp_path):
    """A scheduler of its own, which can be killed, and has a file read again as Dask does."""
    (tmp_path / "dask").mkdir()
    processes = DaskProcesses(tmp_path / "dask")
    yield processes
    processes.end()


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_all_that_reads_gives_the_same_bytes(cluster, music, built, tmp_path):
    cluster.add_worker("a")
    cluster.add_worker("b")
    report = build_index([music], tmp_path / "out", on=cluster.address)
    assert contents(tmp_path / "out") == contents(built)
    assert (report.tracks, report.skipped) == (5, ())
    build_index([UrlPath(f"file://{music}")], tmp_path / "url", on=cluster.address)
    assert contents(tmp_path / "url") == contents(built)

    more = shutil.copytree(music, tmp_path / "more")
    write(more / "disc 0" / "song7.wav", song(7))
    shutil.copy(write(tmp_path / "new" / "song8.wav", song(8)), more / "song8.wav")
    local = shutil.copytree(built, tmp_path / "local")
    for index, where in ((tmp_path / "out", {"on": cluster.address}), (local, {"jobs": 1})):
        add_tracks(index, [tmp_path / "new"], **where)
        update = update_index(index, [more], **where)
        assert (update.added, update.removed, update.kept) == (1, 0, 6)
    assert contents(tmp_path / "out") == contents(local)
    for index, where in ((tmp_path / "out", {"on": cluster.address}), (local, {"jobs": 1})):
        assert compact_index(index, refit=[more], **where) == 7
    assert contents(tmp_path / "out") == contents(local)
    assert not cluster.kept_by("a", "*")
    assert not cluster.kept_by("b", "*")


def test_a_worker_killed_in_the_middle_costs_nothing_but_time(patient, music, built, tmp_path):
    killed = patient.add_worker("a", SLOW)
    patient.add_worker("b", SLOW)

    def kill():
        wait_for(lambda: patient.kept_by("a"))  # it has read some
        wait_for(lambda: patient.kept_by("a", "*.part"))  # and is reading another one
        killed.kill()

    thread = threading.Thread(target=kill)
    thread.start()
    report = build_index([music], tmp_path / "out", on=patient.address)
    thread.join()
    assert killed.wait() == -signal.SIGKILL
    assert (report.tracks, report.skipped) == (5, ())
    assert contents(tmp_path / "out") == contents(built)


def test_a_worker_started_again_under_its_address_is_told_again(patient, music, built, tmp_path):
    port = free_port()
    process = command("index", "build", music, "--out", tmp_path / "out", "--on", patient.address)
    try:
        killed = patient.add_worker("a", SLOW, port)
        wait_for(lambda: patient.kept_by("a"))
        killed.kill()
        killed.wait()
        patient.add_worker("a", port=port)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    assert contents(tmp_path / "out") == contents(built)


def test_a_file_that_kills_its_worker_is_skipped_and_the_rest_is_built(cluster, music, tmp_path):
    cluster.add_worker("a", DEADLY)
    cluster.add_worker("b", DEADLY)
    report = build_index([music], tmp_path / "out", on=cluster.address)
    ((path, reason),) = report.skipped
    assert path.name == "song2.wav"
    assert "song2.wav' cannot be read: 1 workers died over it (out of memory?)" in reason
    assert report.tracks == 4


def test_files_that_one_worker_lacks_are_read_by_another(cluster, music, built, tmp_path, caplog):
    cluster.add_worker("blind", BLIND)
    cluster.add_worker("b")
    build_index([music], tmp_path / "out", on=cluster.address)
    assert contents(tmp_path / "out") == contents(built)


def test_files_that_all_workers_lack_are_told_one_by_one(cluster, music, tmp_path):
    cluster.add_worker("blind", BLIND)
    cluster.add_worker("blinder", BLIND)
    wait_for_workers(cluster, 2)
    url = UrlPath(f"file://{write(tmp_path / 'new.wav', song(9))}")
    report = build_index([music, url], tmp_path / "out", on=cluster.address)
    assert report.tracks == 1  # a URL is looked up, not seen
    assert len(report.skipped) == 5
    for path, reason in report.skipped:
        assert f"'{path}' cannot be read by any of 2 workers (No such file or directory)" in reason


@pytest.mark.parametrize(
    ("preload", "expected"),
    [
        (OTHER_RELEASE, "has stream_match 0.0.9 .*install the same release; nothing was changed"),
        (OTHER_RESULTS, "computes other results .*the same numpy and scipy.*; nothing was changed"),
        (FULL, "cannot write into .*: No space left on device; nothing was changed"),
        (WITHOUT, "cannot do what is asked of it .*No module named 'stream_match'.*install the same release"),
        (OTHER_ORDERS, "cannot do what is asked of it .*no attribute 'orders'.*install the same release"),
    ],
    ids=["another release", "other results", "a full disk", "without stream_match", "other orders"],
)
def test_a_worker_that_cannot_do_it_is_told_in_a_sentence(cluster, music, tmp_path, preload, expected):
    cluster.add_worker("odd", preload)
    with pytest.raises(CatalogError, match=expected) as raised:
        build_index([music], tmp_path / "out", on=cluster.address)
    assert "\n" not in str(raised.value)
    assert left_in(tmp_path) == []


def wait_for_workers(processes, count):
    with Client(processes.address, set_as_default=False) as client:
        client.wait_for_workers(count, timeout=60)


def test_a_cluster_without_workers_is_told(cluster, music, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster_module, "_LOOK_S", 0.05)
    monkeypatch.setattr(cluster_module, "_PATIENCE_S", 0.2)
    with pytest.raises(CatalogError, match=r"has had no workers for .*: start some"):
        build_index([music], tmp_path / "out", on=cluster.address)
    assert left_in(tmp_path) == []


def test_workers_may_come_late(cluster, music, built, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster_module, "_LOOK_S", 0.05)
    timer = threading.Timer(0.5, cluster.add_worker, ["late"])
    timer.start()
    build_index([music], tmp_path / "out", on=cluster.address)
    assert contents(tmp_path / "out") == contents(built)


def command(*args, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "stream_match", *map(str, args)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_scheduler_lost_in_the_middle_is_one_sentence(patient, music, tmp_path):
    patient.add_worker("a", ENDLESS)
    (tmp_path / "place").mkdir()
    process = command("index", "build", music, "--out", tmp_path / "place" / "out", "--on", patient.address)
    wait_for(lambda: patient.kept_by("a", "*.part"))
    patient.scheduler.kill()
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1, errors
    (line,) = errors.splitlines()
    assert f"the scheduler at {patient.address} was lost" in line
    assert left_in(tmp_path / "place") == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_called_off_in_the_middle_nothing_is_left_anywhere(patient, music, tmp_path, number):
    patient.add_worker("a", ENDLESS)
    (tmp_path / "place").mkdir()
    process = command("index", "build", music, "--out", tmp_path / "place" / "out", "--on", patient.address)
    wait_for(lambda: patient.kept_by("a", "*.part"))
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (128 + number, "")
    assert left_in(tmp_path / "place") == []
    assert not patient.kept_by("a", "*")
    with Client(patient.address, set_as_default=False) as client:
        # Lambdas, which are sent as they are: nobody else has this file.
        wait_for(lambda: not client.run_on_scheduler(lambda dask_scheduler: [*dask_scheduler.tasks]))
        wait_for(lambda: not any(client.run(lambda dask_worker: [*dask_worker.state.executing]).values()))


def test_tls_by_the_configuration_of_dask(music, built, tmp_path):
    certificate, key = certificates(tmp_path)
    tls = {
        "DASK_DISTRIBUTED__COMM__TLS__CA_FILE": str(certificate),
        **{
            f"DASK_DISTRIBUTED__COMM__TLS__{role}__{what}": str(path)
            for role in ("SCHEDULER", "WORKER", "CLIENT")
            for what, path in (("CERT", certificate), ("KEY", key))
        },
        "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "True",
    }
    (tmp_path / "dask").mkdir()
    processes = DaskProcesses(tmp_path / "dask", tls, protocol="tls")
    try:
        assert processes.address.startswith("tls://")
        processes.add_worker("a")
        process = command(
            "index", "build", music, "--out", tmp_path / "out", "--on", processes.address, **tls
        )
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        assert contents(tmp_path / "out") == contents(built)
        with pytest.raises(UsageError, match=r"as Dask is configured .*: tls:// needs .*ca-file"):
            build_index([music], tmp_path / "none", on=processes.address)
        with pytest.raises(CatalogError, match="no Dask scheduler answers"):
            build_index([music], tmp_path / "none", on=processes.address.replace("tls:", "tcp:"))
        assert not (tmp_path / "none").exists()
    finally:
        processes.end()


def certificates(folder):
    """A certificate that signs itself, and its key."""
    from distributed.security import Security

    temporary = Security.temporary()
    (folder / "certificate.pem").write_text(temporary.tls_ca_file)
    (folder / "key.pem").write_text(temporary.tls_client_key)
    return folder / "certificate.pem", folder / "key.pem"


def test_no_scheduler_is_one_sentence(music, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster_client, "_CONNECT_S", 0.5)
    with pytest.raises(CatalogError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1 "):
        build_index([music], tmp_path / "out", on="tcp://127.0.0.1:1")
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(
    "address",
    [
        "", "localhost:8786", "http://host:8786", "tcp://host", "tcp://host:port", "tcp://:8786", "tcp://[::1:8786",
        "tcp://host:8786/path", "tcp://host:8786?token=s3cret", "tcp://ann:s3cret@host:8786", "tcp://host:99999",
        "inproc://host:1",
    ],
)  # fmt: skip
def test_what_is_no_address_is_a_users_mistake_and_not_repeated(music, tmp_path, address):
    with pytest.raises(UsageError, match=r"expected tcp://HOST:8786 or tls://HOST:8786") as raised:
        build_index([music], tmp_path / "out", on=address)
    assert "s3cret" not in str(raised.value)
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("address", ["tcp://host:8786", "tls://[::1]:8786", "tcp://10.0.0.1:1"])
def test_addresses(address):
    assert cluster_client.checked_address(address) == address


def test_processes_and_a_cluster_are_one_too_many(music, tmp_path):
    with pytest.raises(UsageError, match="jobs are processes of this computer"):
        build_index([music], tmp_path / "out", jobs=2, on="tcp://host:8786")
    process = command("index", "build", music, "--out", tmp_path / "out", "--jobs", "2", "--on", "tcp://h:1")
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "not allowed with argument" in errors
    assert left_in(tmp_path) == []


def test_dask_that_is_not_installed_is_told(music, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"pip install .*\[dask\]'"):
        build_index([music], tmp_path / "out", on="tcp://127.0.0.1:1")
    assert left_in(tmp_path) == []


def test_how_computers_differ():
    own = software()
    assert own.difference(software()) is None
    assert "install the same versions" in own.difference(
        Software(own.release, ("av 1",), own.numbers, own.results)
    )
    assert own.difference(Software(own.release, own.decoders, "9.9", own.results)) is None  # results count
    assert "numpy 9.9 there" in own.difference(Software(own.release, own.decoders, "9.9", "others"))
