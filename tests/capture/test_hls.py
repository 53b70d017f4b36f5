"""HLS, whatever its segments are called, on servers that behave or do not."""

import pytest
from capture_samples import read_all, read_until_error, seconds, sweep, until_the_end, write_aac
from capture_servers import Server, divisible, guarded, serving, whole

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.connections import Connections
from stream_match.capture.hls import Segments
from stream_match.capture.url import UrlSource
from stream_match.capture.web import FAULTS, Access, Web
from stream_match.errors import SourceError

pytest.importorskip("av")

SECONDS = 4.0
KEY, IV = bytes(range(16)), bytes(range(16, 32))


@pytest.fixture
def server():
    with serving(Server()) as running:
        yield running


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A playlist of four segments, and the segments by their names."""
    folder = tmp_path_factory.mktemp("hls")
    write_aac(
        folder / "list.m3u8", sweep(SECONDS), SAMPLE_RATE_HZ, "hls", {"hls_time": "1", "hls_list_size": "0"}
    )
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def publish(server, published, rename=lambda name: name, at="/list.m3u8", change=lambda text: text):
    """Serve the playlist with its segments under other names."""
    text = published["list.m3u8"].decode()
    for name, data in published.items():
        if name != "list.m3u8":
            text = text.replace(name, rename(name))
            server.pages["/" + rename(name).partition("?")[0]] = whole(data)
    server.pages[at] = whole(change(text).encode())
    return UrlSource(server.url(at), "hls", open_timeout_s=3, read_timeout_s=0.5)


def check_whole(source):
    blocks = read_all(source)
    assert seconds(blocks) == pytest.approx(SECONDS, abs=0.2)
    assert not any(block.discontinuity for block in blocks)
    assert not source.live


def test_hls_of_known_length_ends(server, published):
    check_whole(publish(server, published))


@pytest.mark.parametrize(
    "rename",
    [
        lambda name: name.removesuffix(".ts"),
        lambda name: name.replace(".ts", ".php") + "?sid=1",
        lambda name: name.replace(".ts", ".jpg"),
        lambda name: f"a%20b/{name}%C3%BC",
    ],
)
@pytest.mark.parametrize("at", ["/list.m3u8", "/live", "/live.php"])
def test_segments_and_playlist_may_be_called_anything(server, published, rename, at):
    check_whole(publish(server, published, rename, at))


def test_segments_with_letters_beyond_ascii(server, published):
    publish(server, published, lambda name: f"%C3%A4{name}")
    text = published["list.m3u8"].decode().replace("list", "älist")
    server.pages["/list.m3u8"] = whole(text.encode())
    check_whole(UrlSource(server.url("/list.m3u8"), "hls"))
    server.pages |= {path.replace("%C3%A4", "%E4"): page for path, page in server.pages.items()}
    server.pages["/list.m3u8"] = whole(text.encode("latin-1"))
    check_whole(UrlSource(server.url("/list.m3u8"), "hls"))


def test_a_playlist_of_qualities(server, published):
    publish(server, published, at="/64k")
    server.pages["/master"] = whole(b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=64000\n64k\n")
    check_whole(UrlSource(server.url("/master"), "hls"))


@pytest.mark.parametrize("parts", [divisible, whole])
def test_segments_that_are_parts_of_one_file(server, published, parts):
    names = [name for name in published if name != "list.m3u8"]
    rows, first = [], 0
    for name in names:
        rows.append(f"#EXTINF:1,\n#EXT-X-BYTERANGE:{len(published[name])}@{first}\nall")
        first += len(published[name])
    server.pages["/all"] = parts(b"".join(published[name] for name in names))
    text = "\n".join(["#EXTM3U", "#EXT-X-VERSION:4", "#EXT-X-TARGETDURATION:2", *rows, "#EXT-X-ENDLIST", ""])
    server.pages["/list"] = whole(text.encode())
    check_whole(UrlSource(server.url("/list"), "hls"))


def test_encrypted_segments(server, published, tmp_path):
    """FFmpeg encrypts what our own code decrypts."""
    info = tmp_path / "key.info"
    (tmp_path / "the.key").write_bytes(KEY)
    info.write_text(f"the.key\n{tmp_path / 'the.key'}\n{IV.hex()}\n")
    folder = tmp_path / "out"
    folder.mkdir()
    options = {"hls_time": "1", "hls_list_size": "0", "hls_key_info_file": str(info)}
    write_aac(folder / "list.m3u8", sweep(SECONDS), SAMPLE_RATE_HZ, "hls", options)
    assert b"METHOD=AES-128" in (folder / "list.m3u8").read_bytes()
    server.pages |= {f"/{path.name}": whole(path.read_bytes()) for path in folder.iterdir()}
    server.pages["/the.key"] = whole(KEY)
    check_whole(UrlSource(server.url("/list.m3u8"), "hls"))


def test_a_segment_that_is_not_there_is_left_out_and_the_rest_is_heard(server, published):
    publish(server, published)
    del server.pages["/list1.ts"]
    blocks, error = until_the_end(UrlSource(server.url("/list.m3u8"), "hls"))
    assert SECONDS - 1.5 < seconds(blocks) < SECONDS - 0.5
    assert error is None or "404" in str(error)


def test_live_hls_that_stops_growing_is_reported(server, published):
    source = publish(server, published, change=lambda text: text.replace("#EXT-X-ENDLIST\n", ""))
    blocks, error = read_until_error(source, SourceError)
    assert 0 < seconds(blocks) < SECONDS  # joined at the newest segment
    assert source.live
    assert error.retry


def test_segments_are_fetched_with_password_and_headers(server, published):
    source = publish(server, published)
    for path, page in server.pages.items():
        server.pages[path] = guarded(
            page, 'Basic realm="x"', proper=lambda h: h.headers["Authorization"] == "Basic YW5uOnB3"
        )
    source = UrlSource(
        server.url("/list.m3u8"), "hls", username="ann", password="pw", headers={"X-Key": "abc"}
    )
    check_whole(source)
    assert {headers.get("X-Key") for _, headers in server.requests_seen} == {"abc"}
    # The challenge is remembered: one request is turned away, not one for each segment.
    assert sum("Authorization" not in headers for _, headers in server.requests_seen) == 1


def test_a_segment_that_is_encrypted_without_a_key_is_left_out(server, published):
    odd = f"crypto+{server.url('/list1.ts')}"
    source = publish(server, published, change=lambda text: text.replace("list1.ts", odd))
    blocks, _ = read_until_error(source, SourceError)
    assert seconds(blocks) == pytest.approx(SECONDS - 1, abs=0.3)
    segments = Segments(Web(server.url("/"), Access(), 1.0, Connections(9.0)), "x")
    for options in ({}, {"key": "zz"}, {"key": "00", "iv": "00"}):
        assert segments.open(f"crypto+{server.url('/a.ts')}", options).read(10) == b""
        assert isinstance(segments.fault, FAULTS)


def test_a_playlist_that_never_ends_is_not_read_for_ever(server):
    def endless(handler):
        handler.begin(Content_Type="application/vnd.apple.mpegurl")
        handler.wfile.write(b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n")
        while not handler.server.over.is_set():
            handler.wfile.write(b"#EXTINF:1,\nnone\n" * 4096)

    server.pages["/endless"] = endless
    _, error = read_until_error(UrlSource(server.url("/endless"), "hls", deadline_s=5), SourceError)
    assert error.retry


@pytest.mark.parametrize("named", ["file:///etc/passwd", "http:///x.ts", "http://h:99999/x.ts"])
def test_a_playlist_that_names_no_address_of_the_web_is_told_in_words(server, published, named):
    def change(text):
        return "\n".join(named if line.endswith(".ts") else line for line in text.split("\n"))

    blocks, error = until_the_end(publish(server, published, change=change))
    assert not blocks
    assert str(error).endswith(("is not of the web", "nothing that can be read as audio"))
