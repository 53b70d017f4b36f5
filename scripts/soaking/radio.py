"""A radio station as a program of its own: Icecast with titles, as fast as it is heard.

Run as: radio.py PORT AUDIO TITLES [SPEED]. AUDIO is an MP3 file, sent again and again; TITLES has a line
``SECONDS TITLE`` for each title.
"""

import http.server
import sys
import time
from contextlib import suppress
from pathlib import Path

METAINT = 4096
CHUNK_S = 0.1


class Station(http.server.BaseHTTPRequestHandler):
    """Sends the program from its beginning to whoever asks."""

    audio = b""
    bytes_per_s = 16_000.0
    titles: tuple[tuple[float, str], ...] = ()

    def do_GET(self) -> None:
        """Answer until the listener goes away."""
        titled = self.headers.get("Icy-MetaData") == "1"
        self.send_response(200)
        self.send_header("Content-Type", "audio/mpeg")
        if titled:
            self.send_header("icy-metaint", str(METAINT))
        self.end_headers()
        with suppress(OSError):
            self._play(titled=titled)

    def _play(self, *, titled: bool) -> None:
        begun, sent = time.monotonic(), 0
        while True:
            start = sent % len(self.audio)
            chunk = self.audio[start : start + METAINT]
            chunk += self.audio[: METAINT - len(chunk)]
            self.wfile.write(chunk)
            sent += len(chunk)
            if titled:
                self.wfile.write(self._metadata(start / self.bytes_per_s))
            ahead_s = sent / self.bytes_per_s - (time.monotonic() - begun)
            time.sleep(max(0.0, ahead_s - CHUNK_S))

    def _metadata(self, second: float) -> bytes:
        title = next((title for since, title in reversed(self.titles) if since <= second), "")
        text = f"StreamTitle='{title}';".encode()
        return bytes([-(-len(text) // 16)]) + text.ljust(-(-len(text) // 16) * 16, b"\0")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main(port: int, audio: Path, titles: Path, seconds: float, speed: float) -> None:
    """Serve for ever."""
    Station.audio = audio.read_bytes()
    Station.bytes_per_s = speed * len(Station.audio) / seconds
    told = [line.split(" ", 1) for line in titles.read_text(encoding="utf-8").splitlines()]
    Station.titles = tuple((float(since) * speed, title) for since, title in told)
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Station) as server:
        server.daemon_threads = True
        server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5]))
