"""Media is opened in one place, which reaches no further than the bytes that were sent."""

import ast
import base64
import io
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from capture_samples import encoded, sweep, until_the_end

import stream_match
from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.media import open_bytes, open_playlist, open_rtsp
from stream_match.capture.url import UrlSource
from stream_match.errors import SourceError

av = pytest.importorskip("av")

PACKAGE = Path(stream_match.__file__).parent
WAV = encoded(sweep(1.0, 8_000), 8_000, "WAV")
TIMEOUTS_S = (2.0, 2.0)
HLS_TYPE = {"Content-Type": "application/vnd.apple.mpegurl"}


def samples(container):
    with container:
        return sum(frame.samples for frame in container.decode(audio=0))


def test_only_one_module_opens_media():
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            opens = isinstance(node, ast.Attribute) and node.attr in ("open", "InputContainer")
            if opens and isinstance(node.value, ast.Name) and node.value.id == "av":
                found.append(path.name)
            if isinstance(node, ast.ImportFrom) and node.module == "av":
                found += [path.name for alias in node.names if alias.name == "open"]
    assert found == ["media.py"]


@contextmanager
def serving(answers):
    """A server of the answers; yields its address and the paths that it was asked for."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            status, headers, body = answers(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def hls(*segments, ended=True):
    rows = [f"#EXTINF:1,\n{segment}" for segment in segments]
    end = ["#EXT-X-ENDLIST"] if ended else []
    return "\n".join(
        ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:1", "#EXT-X-MEDIA-SEQUENCE:0", *rows, *end, ""]
    ).encode()


def targets(path):
    """The ways in which a text may name a local file, or what is not sent by the network."""
    inline = base64.b64encode(WAV).decode()
    return [
        str(path),
        f"file:{path}",
        f"file://{path}",
        f"subfile,,start,0,end,0,,:{path}",
        f"concat:{path}|{path}",
        f"crypto:{path}",
        f"crypto+file://{path}",
        f"cache:{path}",
        f"async:file:{path}",
        f"data:audio/wav;base64,{inline}",
    ]


def lists(target):
    """The texts that FFmpeg takes for lists of what to play."""
    return {
        "ffconcat": f"ffconcat version 1.0\nfile '{target}'\n".encode(),
        "hls": hls(target),
        "master": f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=64000\n{target}\n".encode(),
        "map": hls("a.wav").replace(b"#EXTINF", f'#EXT-X-MAP:URI="{target}"\n#EXTINF'.encode(), 1),
        "key": hls("a.wav").replace(
            b"#EXTINF", f'#EXT-X-KEY:METHOD=AES-128,URI="{target}"\n#EXTINF'.encode(), 1
        ),
        "dash": (
            '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
            'mediaPresentationDuration="PT1S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011">'
            '<Period><AdaptationSet mimeType="audio/mp4"><Representation id="a" bandwidth="64000">'
            f"<BaseURL>{target}</BaseURL></Representation></AdaptationSet></Period></MPD>"
        ).encode(),
        "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
        "pls": f"[playlist]\nFile1={target}\nNumberOfEntries=1\n".encode(),
    }


@pytest.fixture
def local(tmp_path):
    path = tmp_path / "private.wav"
    path.write_bytes(WAV)
    return path


def names():
    return list(lists("x"))


def test_the_files_of_this_test_can_be_heard_where_nothing_forbids_it(local):
    """Otherwise the tests below would prove nothing."""
    with av.open(io.BytesIO(lists(f"file:{local}")["ffconcat"]), options={"safe": "0"}) as container:
        assert samples(container) == 8_000


@pytest.mark.parametrize("name", names())
def test_bytes_that_name_a_file_reach_none(local, name):
    for target in targets(local):
        with pytest.raises((av.error.FFmpegError, OSError)):
            samples(open_bytes(io.BytesIO(lists(target)[name]), shown="it"))


def test_bytes_that_name_an_address_ask_for_nothing():
    with serving(lambda _path: (200, {}, WAV)) as (address, asked):
        for body in lists(f"{address}/a.wav").values():
            with pytest.raises((av.error.FFmpegError, OSError)):
                samples(open_bytes(io.BytesIO(body), shown="it"))
    assert asked == []


def heard(address):
    """Samples that an address gives, told by its headers and content to be whatever it looks like."""
    blocks, _ = until_the_end(UrlSource(address, "it", open_timeout_s=2.0, read_timeout_s=2.0))
    return sum(block.y.size for block in blocks)


@pytest.mark.parametrize("name", names())
def test_an_address_whose_answer_names_a_file_reaches_none(local, name):
    bodies = {f"/{place}.m3u8": lists(target)[name] for place, target in enumerate(targets(local))}
    with serving(lambda path: (200, HLS_TYPE, bodies.get(path, b""))) as (address, asked):
        for path in bodies:
            assert heard(f"{address}{path}") == 0
    assert set(asked) >= set(bodies)


@pytest.mark.parametrize("inner", ["ffconcat", "hls", "master", "dash", "pls"])
def test_a_playlist_within_a_playlist_reaches_no_file(local, inner):
    bodies = {f"/inner{place}.m3u8": lists(target)[inner] for place, target in enumerate(targets(local))}
    outer = {path.replace("inner", "outer"): hls(path[1:]) for path in bodies}
    answers = bodies | outer
    with serving(lambda path: (200, HLS_TYPE, answers.get(path, b""))) as (address, asked):
        for path in outer:
            assert heard(f"{address}{path}") == 0
    assert set(asked) >= set(answers)


def test_a_playlist_that_names_itself_comes_to_an_end():
    with serving(lambda _path: (200, HLS_TYPE, hls("me.m3u8"))) as (address, asked):
        assert heard(f"{address}/me.m3u8") == 0
    assert len(asked) < 100


def test_a_redirection_to_a_file_is_not_followed(local):
    places = targets(local)
    with serving(lambda path: (302, {"Location": places[int(path[1:])]}, b"")) as (address, asked):
        for place in range(len(places)):
            assert heard(f"{address}/{place}") == 0
    assert len(asked) >= len(places)


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "concat:a|b", "/etc/passwd", "data:,", "ftp://host/a", "http://host/"]
)
def test_ffmpeg_opens_addresses_of_rtsp_only(address):
    with pytest.raises(SourceError, match="no address"):
        open_rtsp(address, shown="it", timeouts_s=TIMEOUTS_S)


def test_options_cannot_widen_what_may_be_opened(local):
    wide = {"protocol_whitelist": "file,http,tcp", "format_whitelist": "concat", "safe": "0"}
    asked = []

    def fetch(address, _options):
        asked.append(address)
        return io.BytesIO(lists(f"file:{local}")["ffconcat"])

    with pytest.raises((av.error.FFmpegError, OSError)):
        open_playlist(
            io.BytesIO(hls("http://host/a.ts")), fetch, shown="it", timeouts_s=TIMEOUTS_S, options=wide
        )
    assert asked == ["http://host/a.ts"]


def test_what_is_sent_is_heard():
    answers = {"/a.m3u8": hls("a.ts"), "/a.ts": mpegts()}
    with serving(lambda path: (200, HLS_TYPE if "m3u8" in path else {}, answers[path])) as (address, _asked):
        assert heard(f"{address}/a.m3u8") > 0.9 * SAMPLE_RATE_HZ
        assert heard(f"{address}/a.ts") > 0.9 * SAMPLE_RATE_HZ
    assert samples(open_bytes(io.BytesIO(WAV), shown="it")) == 8_000


def mpegts():
    output = io.BytesIO()
    with av.open(output, "w", format="mpegts") as container:
        stream = container.add_stream("aac", rate=22_050, layout="mono")
        y = sweep(1.0)
        for start in range(0, len(y), 1024):
            frame = av.AudioFrame.from_ndarray(y[start : start + 1024].T.copy(), format="fltp", layout="mono")
            frame.sample_rate = 22_050
            frame.pts = start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return output.getvalue()


def test_nothing_of_ffmpeg_reaches_the_terminal(capfd):
    for body in (b"ffconcat version 1.0\n", WAV[:50], bytes(1000), b"RIFF" + bytes(60)):
        with suppress(av.error.FFmpegError, IndexError):
            samples(open_bytes(io.BytesIO(body), shown="it"))
    assert capfd.readouterr() == ("", "")
