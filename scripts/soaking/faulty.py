"""Radio stations that break at the same moment, each in its own way, and are mended at the same moment."""

import http.server
import io
import random
import ssl
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import soundfile
import soxr

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.repertoire import PIECES
from stream_match.capture.synth import Piece, render

USUAL, OTHER = PIECES[:2]
"""What is played, and what is played in another codec or at another rate."""

FAULTS = ("stall", "drip", "garbage", "codec", "rate", "redirects", "certificate")
HEARD_AS_OTHER = ("codec", "rate")
"""After these a listener goes on, with what the station plays now."""

HIGH_RATE_HZ = 44_100
CHUNK_S = 0.1


class Stations:
    """All of them; a context manager.

    Parameters
    ----------
    folder : Path
        For certificates.
    """

    def __init__(self, folder: Path) -> None:
        self.broken = False
        self.over = threading.Event()
        self.usual = _program(USUAL, SAMPLE_RATE_HZ, "MP3", "MPEG_LAYER_III")
        self.codec = _program(OTHER, HIGH_RATE_HZ, "OGG", "VORBIS")
        self.rate = _program(OTHER, HIGH_RATE_HZ, "MP3", "MPEG_LAYER_III")
        self.garbage = random.Random(19).randbytes(400_000), 25.0  # noqa: S311 - the same each time is meant
        self.trusted, wrong = (_certificate(folder / name) for name in ("trusted.pem", "wrong.pem"))
        self._contexts = tuple(map(_context, (self.trusted, wrong)))
        self._servers = (_Server(self, None), _Server(self, self.context))

    def context(self) -> ssl.SSLContext:
        """Return what the server is for whoever connects now."""
        return self._contexts[self.broken]

    def address(self, fault: str) -> str:
        """Return the address of the station with a fault."""
        plain, safe = (server.server_address[1] for server in self._servers)
        return (
            f"https://localhost:{safe}/{fault}"
            if fault == "certificate"
            else f"http://127.0.0.1:{plain}/{fault}"
        )

    def __enter__(self) -> "Stations":
        for server in self._servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, stations: Stations, context: Any) -> None:
        super().__init__(("127.0.0.1", 0), _Station)
        self.stations = stations
        self._context = context

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve in the thread of the connection, the handshake included."""
        with suppress(OSError):
            if self._context is not None:
                request = self._context().wrap_socket(request, server_side=True)
            super().finish_request(request, client_address)


class _Station(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Play until the listener goes away or the connection breaks."""
        stations, fault = self.server.stations, self.path.strip("/").partition("?")[0]  # type: ignore[attr-defined]
        if fault == "redirects" and stations.broken:
            self.send_response(302)
            self.send_header("Location", f"/{fault}?{time.monotonic_ns()}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header(
            "Content-Type", "application/ogg" if stations.broken and fault == "codec" else "audio/mpeg"
        )
        self.send_header("icy-name", fault)
        self.end_headers()
        while not stations.over.is_set():
            self._play(stations, *stations.usual, broken=False)
            if fault in ("redirects", "certificate"):
                return
            if fault in ("stall", "drip"):
                self._hesitate(stations, drips=fault == "drip")
                continue
            self._play(stations, *getattr(stations, fault), broken=True)
            if fault == "garbage":  # what sent it is replaced
                return

    def _play(self, stations: Stations, audio: bytes, seconds: float, *, broken: bool) -> None:
        """Send a program again and again, as fast as it is heard, until the stations break or are mended."""
        size = round(len(audio) * CHUNK_S / seconds)
        begun, sent = time.monotonic(), 0
        while stations.broken == broken and not stations.over.is_set():
            start = sent % len(audio)
            self.wfile.write(audio[start : start + size])
            sent += len(audio[start : start + size])
            stations.over.wait(max(0.0, sent / len(audio) * seconds - (time.monotonic() - begun)))

    def _hesitate(self, stations: Stations, *, drips: bool) -> None:
        """Send nothing, or a byte now and then, until the stations are mended."""
        audio, _ = stations.usual
        for place in range(len(audio)):
            if stations.over.wait(CHUNK_S) or not stations.broken:
                return
            if drips:
                self.wfile.write(audio[place : place + 1])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _program(piece: Piece, rate_hz: int, form: str, subtype: str) -> tuple[bytes, float]:
    """Return a piece as a file, and its length in seconds."""
    y = soxr.resample(render(piece), SAMPLE_RATE_HZ, rate_hz)
    written = io.BytesIO()
    soundfile.write(written, y, rate_hz, format=form, subtype=subtype)
    return written.getvalue(), y.size / rate_hz


def _certificate(path: Path) -> Path:
    """Write a certificate that stands for itself, and its key, into one file."""
    key = path.with_suffix(".key")
    how = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    how += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(path)]
    subprocess.run(how, check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + key.read_bytes())
    return path


def _context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
