"""Real servers on loopback: HTTP that behaves or does not, Icecast, RTSP."""

import http.server
import socketserver
import threading
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

METAINT = 1000


class Pages(http.server.BaseHTTPRequestHandler):
    """Serves `server.pages`: path → function of this handler."""

    def do_GET(self):
        page = self.server.pages.get(urlsplit(self.path).path)
        self.server.requests_seen.append((self.path, dict(self.headers)))
        # FFmpeg hangs up as soon as it knows enough.
        with suppress(ConnectionError):
            if page is None:
                self.send_error(404)
            else:
                page(self)

    def log_message(self, *_):
        pass

    def begin(self, **headers):
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Pages)
        self.pages = {}
        self.requests_seen = []
        self.over = threading.Event()

    def url(self, path, user=""):
        return f"http://{user}127.0.0.1:{self.server_port}{path}"

    def handle_error(self, request, client_address):
        pass


@contextmanager
def serving(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        if isinstance(server, Server):
            server.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def whole(data):
    def page(handler):
        handler.begin(Content_Length=len(data))
        handler.wfile.write(data)

    return page


def cut_off(data, at):
    """Promises all and closes in the middle."""

    def page(handler):
        handler.begin(Content_Length=len(data))
        handler.wfile.write(data[:at])

    return page


def stalling(data, at):
    """Sends a part and then nothing, with the connection open, until the test is over."""

    def page(handler):
        handler.begin(Content_Length=len(data))
        handler.wfile.write(data[:at])
        handler.server.over.wait(10)

    return page


def icecast(data, titles):
    """Audio without an end in sight, and a title (or None) after every `METAINT` bytes of it."""

    def page(handler):
        if handler.headers.get("Icy-MetaData") != "1":
            handler.begin(Content_Type="audio/mpeg")
            handler.wfile.write(data)
            return
        handler.begin(Content_Type="audio/mpeg", icy_metaint=METAINT, icy_name="Test Radio")
        for number, start in enumerate(range(0, len(data), METAINT)):
            chunk = data[start : start + METAINT]
            handler.wfile.write(chunk)
            if len(chunk) == METAINT:
                handler.wfile.write(metadata_block(_fields(titles.get(number))))

    return page


def _fields(title):
    if title is None:
        return b""
    text = title if isinstance(title, bytes) else title.encode()
    return b"StreamTitle='" + text + b"';StreamUrl='';"


def metadata_block(text):
    """A piece of ICY metadata of bytes."""
    length = -(-len(text) // 16)
    return bytes([length]) + text.ljust(16 * length, b"\0")


class Rtsp(socketserver.StreamRequestHandler):
    """A camera with a microphone: answers what FFmpeg asks, then sends `server.audio` (PCMU) over TCP."""

    SDP = (
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\n"
        "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:video\r\n"
        "m=audio 0 RTP/AVP 0\r\na=control:audio\r\n"
    )

    def handle(self):
        with suppress(ConnectionError):
            while request := self._request():
                method, address, sequence = request
                self.server.asked.append((method, address))
                self.server.heads.append(self._head)
                self._answer(method, sequence)
                if method == "PLAY":
                    self._play()
                    return

    def _request(self):
        lines = []
        while (line := self.rfile.readline().decode().strip()) or not lines:
            if not line:
                return None
            lines.append(line)
        self._head = "\n".join(lines)
        method, address, _ = lines[0].split()
        sequence = next(line.partition(":")[2].strip() for line in lines if line.lower().startswith("cseq"))
        return method, address, sequence

    def _answer(self, method, sequence):
        body = self.SDP if method == "DESCRIBE" else ""
        head = {
            "OPTIONS": "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n",
            "DESCRIBE": f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n",
            "SETUP": "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n",
        }.get(method, "Session: 1\r\n")
        self.wfile.write(f"RTSP/1.0 200 OK\r\nCSeq: {sequence}\r\n{head}\r\n{body}".encode())

    def _play(self):
        for number, start in enumerate(range(0, len(self.server.audio), 160)):
            if number in self.server.lost:
                continue
            payload = self.server.audio[start : start + 160]
            header = bytes([0x80, 0]) + number.to_bytes(2, "big") + start.to_bytes(4, "big") + bytes(4)
            packet = header + payload
            self.wfile.write(b"$\0" + len(packet).to_bytes(2, "big") + packet)


class RtspServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, audio):
        super().__init__(("127.0.0.1", 0), Rtsp)
        self.audio = audio
        self.asked = []
        self.heads = []
        self.lost = range(0)

    def url(self, user=""):
        return f"rtsp://{user}127.0.0.1:{self.server_address[1]}/camera"


def saying(data, **headers):
    """Sends data with headers, and no length."""

    def page(handler):
        handler.begin(**headers)
        handler.wfile.write(data)

    return page


def redirecting(address):
    def page(handler):
        handler.send_response(302)
        handler.send_header("Location", address)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return page


def divisible(data):
    """Sends parts to whoever asks for parts."""

    def page(handler):
        asked = handler.headers.get("Range")
        first, _, last = (asked or "bytes=0-").removeprefix("bytes=").partition("-")
        part = data[int(first) : int(last) + 1 if last else None]
        handler.send_response(206 if asked else 200)
        handler.send_header("Accept-Ranges", "bytes")
        handler.send_header("Content-Length", str(len(part)))
        handler.end_headers()
        handler.wfile.write(part)

    return page


def guarded(page, *challenges, proper):
    """Lets in whoever's Authorization is `proper(handler)`; sends challenges to all others."""

    def answer(handler):
        if handler.headers.get("Authorization") is not None and proper(handler):
            page(handler)
            return
        handler.send_response(401)
        for challenge in challenges:
            handler.send_header("WWW-Authenticate", challenge)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def dripping(data, pause_s=0.05):
    """Sends a byte now and then, as long as the test lasts."""

    def page(handler):
        for place in range(len(data)):
            if handler.server.over.wait(pause_s):
                return
            handler.wfile.write(data[place : place + 1])
            handler.wfile.flush()

    return page


def shoutcast(data):
    """Answers as the oldest Shoutcast does."""

    def page(handler):
        handler.wfile.write(b"ICY 200 OK\r\nicy-name:Old Radio\r\ncontent-type:audio/mpeg\r\n\r\n" + data)

    return page
