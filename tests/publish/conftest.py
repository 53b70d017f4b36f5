import asyncio
import contextlib
import getpass
import shutil
import signal
import subprocess

import pytest
from ports import free_port

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
WAIT_S = 20  # a limit for what is broken, never a waiting time for what works


class Mosquitto:
    """A real broker on a loopback port of its own, which can die and come back there."""

    def __init__(self, folder, *options):
        self.port = free_port()
        self.uri = f"mqtt://127.0.0.1:{self.port}"
        self.config = folder / "mosquitto.conf"
        lines = [f"listener {self.port} 127.0.0.1", "max_queued_messages 0", "log_dest stderr"]
        # Started by root, it would become another user, who cannot read our files.
        lines += [f"user {getpass.getuser()}", *options]
        self.config.write_text("\n".join(lines) + "\n")
        self.process = None

    def start(self):
        self.process = subprocess.Popen([MOSQUITTO, "-c", str(self.config)], stderr=subprocess.PIPE)
        # It says so on stderr when it listens: nothing to poll.
        for line in self.process.stderr:
            if b"running" in line:
                break
        else:
            pytest.fail("mosquitto did not start")
        # Nobody reads on, and a full pipe would stop it.
        self.process.stderr.close()

    def kill(self):
        """Die without a word."""
        self._end(signal.SIGKILL)

    def stop(self):
        """Break off every connection, but write what was acknowledged to disk, if set up to do so."""
        self._end(signal.SIGTERM)

    def _end(self, how):
        self.process.send_signal(how)
        self.process.wait()
        self.process = None

    def close(self):
        if self.process is not None:
            self.kill()


@pytest.fixture
def absent_mosquitto(tmp_path):
    """A broker that does not run yet."""
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed (apt install mosquitto)")
    broker = Mosquitto(tmp_path, "allow_anonymous true")
    yield broker
    broker.close()


@pytest.fixture
def mosquitto(absent_mosquitto):
    absent_mosquitto.start()
    return absent_mosquitto


@pytest.fixture
def guarded_mosquitto(tmp_path):
    """A broker that lets in none but guest:secret."""
    passwords = shutil.which("mosquitto_passwd")
    if MOSQUITTO is None or passwords is None:
        pytest.skip("mosquitto and mosquitto_passwd are not installed (apt install mosquitto)")
    file = tmp_path / "passwords"
    subprocess.run([passwords, "-b", "-c", str(file), "guest", "secret"], check=True)
    broker = Mosquitto(tmp_path, "allow_anonymous false", f"password_file {file}")
    broker.start()
    yield broker
    broker.close()


class Ear:
    """Hears everything on a broker, with a client of its own: mosquitto_sub's line of code, not ours."""

    def __init__(self, client):
        self._client = client
        self.heard = []  # (topic, payload, retained)

    async def until(self, wanted):
        """Listen until `wanted(heard)`; return what was heard."""
        async with asyncio.timeout(WAIT_S):
            while not wanted(self.heard):
                message = await anext(self._client.messages)
                self.heard.append((str(message.topic), message.payload.decode(), message.retain))
        return self.heard

    async def until_heard(self, topic, payload):
        return await self.until(lambda heard: (topic, payload) in {entry[:2] for entry in heard})

    def payloads(self, topic):
        return [payload for name, payload, _ in self.heard if name == topic]


@contextlib.asynccontextmanager
async def _ear(port, topic="#"):
    import aiomqtt

    async with aiomqtt.Client("127.0.0.1", port) as client:
        await client.subscribe(topic, qos=1)
        yield Ear(client)


@pytest.fixture
def ear():
    """`async with ear(port) as heard`: an independent subscriber."""
    return _ear
