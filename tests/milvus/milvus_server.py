"""A real Milvus server on loopback, in a virtual environment of its own: its client is too old for ours."""

import contextlib
import fcntl
import json
import os
import platform
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from ports import free_port

from stream_match.milvus.address import MilvusAddress
from stream_match.milvus.connection import Connection
from stream_match.milvus.failures import MilvusError

ROOT = Path(__file__).parents[2]
VARIABLE = "STREAM_MATCH_MILVUS_SERVER"
PACKAGE = "milvus==2.3.5"
START_S = 240.0

# Its etcd would always take port 2380, too: a second server would not start beside the first.
_ETCD = """
name: default
listen-client-urls: http://127.0.0.1:{client}
advertise-client-urls: http://127.0.0.1:{client}
listen-peer-urls: http://127.0.0.1:{peer}
initial-advertise-peer-urls: http://127.0.0.1:{peer}
initial-cluster: default=http://127.0.0.1:{peer}
"""

_PORTS = (
    *("data_coord", "data_node", "index_coord", "index_node"),
    *("query_coord", "query_node", "root_coord", "proxy_internal"),
)
"""What a server listens on besides its own port and etcd's; left alone, all servers try the same ones."""

# Gone when its pipe is closed, also when pytest is killed; and when the server is.
_LAUNCHER = """
import json, pathlib, select, socket, sys
from milvus import MilvusServer, MilvusServerConfig
def bound(_, port):  # a port that a killed server had is free to the next one, as the server itself sees it
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind(("127.0.0.1", port))
        taken.listen()
    except OSError:
        return None
    return taken
MilvusServerConfig.try_bind_port = bound
data, unpacked, metrics_port, settings = sys.argv[1:]
(pathlib.Path(data) / "bin").symlink_to(unpacked)
config = MilvusServerConfig(data_dir=data)
for name, value in json.loads(settings).items():
    config.set(name, value)
server = MilvusServer(config, wait_for_started=False)
server.webservice_port = int(metrics_port)
server.start()
while server.server_proc.poll() is None and not select.select([sys.stdin], [], [], 0.2)[0]:
    pass
server.server_proc.kill()
server.server_proc.wait()
"""

_UNPACK = "import sys, milvus; milvus._initialize_data_files(sys.argv[1])"


def server_environment():
    """Return the folder of an environment with the server; make it if it can be made, or skip."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        pytest.skip("the Milvus server is packaged for Linux on x86-64 only")
    pytest.importorskip("pymilvus", reason='an index on Milvus needs the extra "milvus"')
    folder = Path(os.environ.get(VARIABLE) or ROOT / ".venv-milvus")
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run in several processes
        if not (folder / "made").exists():
            _make(folder)
            (folder / "made").touch()
    return folder


def _make(folder):
    commands = (
        [sys.executable, "-m", "venv", str(folder)],
        [str(folder / "bin" / "pip"), "install", "--quiet", PACKAGE, "setuptools<81"],
        [str(folder / "bin" / "python"), "-c", _UNPACK, str(folder / "unpacked")],
    )
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"{PACKAGE} cannot be installed here: {done.stderr.strip().splitlines()[-1:]}")


class MilvusProcess:
    """A server that can be killed and started again with the same data, at the same port."""

    def __init__(self, environment, data, **settings):
        self.port = free_port()
        self._etcd_ports = {"client": free_port(), "peer": free_port()}
        self._metrics_port = free_port()
        ports = {"proxy_port": self.port, "etcd_port": self._etcd_ports["client"]}
        self._settings = {**ports, **{f"{name}_port": free_port() for name in _PORTS}, **settings}
        self._environment = environment
        self._data = data
        self._process = None

    def start(self):
        self._data.mkdir(exist_ok=True)
        (self._data / "bin").unlink(missing_ok=True)
        etcd = self._data / "etcd.yaml"
        etcd.write_text(_ETCD.format(**self._etcd_ports))
        self._process = subprocess.Popen(
            [
                str(self._environment / "bin" / "python"), "-c", _LAUNCHER,
                str(self._data), str(self._environment / "unpacked" / "bin"), str(self._metrics_port),
                json.dumps(self._settings),
            ],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "ETCD_CONFIG_PATH": str(etcd)},
        )  # fmt: skip

    def kill(self):
        """Kill it, as a power cut does."""
        self._process.stdin.close()
        self._process.wait()

    def wait(self, **entry):
        """Wait until it answers who has what it takes to enter."""
        address = MilvusAddress("127.0.0.1", "any", self.port, **entry)
        until = time.monotonic() + START_S
        while True:
            try:
                with Connection.open(address, timeout_s=2.0):
                    return
            except MilvusError:
                if self._process.poll() is not None or time.monotonic() > until:
                    log = self._data / "logs" / "milvus-stderr.log"
                    said = log.read_text()[-2_000:] if log.exists() else ""
                    pytest.fail(f"the Milvus server did not start; it said last: {said}")
                time.sleep(0.2)


@contextlib.contextmanager
def milvus_process(data):
    """Start a server with its data in a folder; stop it at the end."""
    environment = server_environment()
    server = MilvusProcess(environment, data)
    try:
        server.start()
        server.wait()
        yield server
    finally:
        server.kill()


class Wire:
    """What lies between a client and a server: it can be cut, and it can be slow."""

    def __init__(self, port):
        self._far = port
        self.delay_s = 0.0
        self._cut = False
        self._open = set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        """Break all connections, and take no others."""
        self._cut = True
        for one in list(self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def mend(self):
        self._cut = False

    def close(self):
        self.cut()
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)  # who waits for a connection is woken
        self._listening.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                if self._cut:
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self._far))
                threading.Thread(target=self._join, args=(near, far), daemon=True).start()

    def _join(self, near, far):
        with near, far:
            self._open |= {near, far}
            back = threading.Thread(target=self._carry, args=(far, near), kwargs={"slow": True}, daemon=True)
            back.start()
            self._carry(near, far, slow=False)
            back.join()
            self._open -= {near, far}

    def _carry(self, one, other, *, slow):
        with contextlib.suppress(OSError):
            while data := one.recv(1 << 16):
                if slow:
                    time.sleep(self.delay_s)
                other.sendall(data)
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
