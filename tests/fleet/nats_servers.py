"""Real NATS servers on loopback: one, or three that keep each other's leases."""

import shutil
import signal
import socket
import subprocess

import pytest
from ports import free_port

NATS_SERVER = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin:/usr/local/sbin")
WAIT_S = 60  # a limit for what is broken, never a waiting time for what works


class NatsServer:
    """A server of its own process, which can be killed, frozen and begun again."""

    def __init__(self, folder, name, *lines, jetstream=True, port=None):
        folder.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.uri = f"nats://127.0.0.1:{self.port}"
        self.process = None
        self._log = folder / f"{name}.log"
        self._config = folder / f"{name}.conf"
        kept = [f'jetstream {{ store_dir: "{folder / name}", max_mem: 64MB, max_file: 256MB }}'] * jetstream
        self._config.write_text(
            "\n".join([f"server_name: {name}", f"listen: 127.0.0.1:{self.port}", *kept, *lines])
        )

    def start(self):
        with self._log.open("ab") as log:
            self.process = subprocess.Popen([NATS_SERVER, "-c", self._config], stdout=log, stderr=log)
        return self

    def wait(self):
        """Wait until it takes connections, or has ended."""
        while self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
        return pytest.fail(self._log.read_text())

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()

    def signal(self, number):
        self.process.send_signal(number)

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()


class Cluster:
    """Three servers."""

    def __init__(self, folder):
        routes = [free_port() for _ in range(3)]
        peers = ", ".join(f'"nats://127.0.0.1:{port}"' for port in routes)
        self.servers = [
            NatsServer(
                folder,
                f"n{number}",
                f"cluster {{ name: three, listen: 127.0.0.1:{port}, routes: [{peers}] }}",
            )
            for number, port in enumerate(routes)
        ]

    @property
    def uris(self):
        """As `--share` takes them."""
        return "nats://" + ",".join(f"127.0.0.1:{server.port}" for server in self.servers)

    def start(self):
        for server in self.servers:
            server.start()
        for server in self.servers:
            server.wait()
        return self

    def close(self):
        for server in self.servers:
            server.close()


@pytest.fixture
def nats(tmp_path):
    """`nats(*lines, jetstream=True)`: a server that runs."""
    _need()
    servers = []

    def start(*lines, jetstream=True):
        server = NatsServer(tmp_path / f"nats{len(servers)}", "alone", *lines, jetstream=jetstream)
        servers.append(server)
        return server.start().wait()

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def three_nats(tmp_path):
    """A cluster of three servers."""
    _need()
    cluster = Cluster(tmp_path / "nats")
    try:
        yield cluster.start()
    finally:
        cluster.close()


def _need():
    pytest.importorskip("nats", reason="nats-py is not installed (extra nats)")
    if NATS_SERVER is None:
        pytest.skip("nats-server is not installed (apt install nats-server)")
