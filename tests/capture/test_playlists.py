"""Addresses of playlists are followed, but to nowhere they should not lead."""

import logging

import pytest
from capture_samples import encoded, read_all, read_until_error, seconds, sweep
from capture_servers import Server, icecast, redirecting, saying, serving, whole
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.playlist import MAX_ENTRIES, PlaylistError, entries, kind_of
from stream_match.capture.url import UrlSource
from stream_match.errors import SourceError

pytest.importorskip("av")

SECONDS = 1.0
BASE = "http://host/a/list"


@pytest.fixture
def server():
    with serving(Server()) as running:
        yield running


@pytest.fixture(scope="module")
def audio():
    return encoded(sweep(SECONDS), SAMPLE_RATE_HZ, "MP3")


def xspf(*addresses):
    tracks = "".join(f"<track><title>x</title><location>{one}</location></track>" for one in addresses)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<playlist version="1" xmlns="http://xspf.org/ns/0/">'
        f"<location>http://not.this/one</location><trackList>{tracks}</trackList></playlist>"
    )


PLAYLISTS = {
    "pls": "[playlist]\nNumberOfEntries=2\nFile2={1}\nTitle1=Radio\nFile1={0}\nLength1=-1\n",
    "pls with line ends of Windows": "[Playlist]\r\nfile1={0}\r\nfile2={1}\r\n",
    "m3u": "#EXTM3U\n#EXTINF:-1,Радио\n{0}\n\n{1}\n",
    "m3u without a head": "{0}\n{1}\n",
    "m3u with a mark of order": "\ufeff#EXTM3U\n{0}\n{1}",
    "xspf": xspf("{0}", "{1}"),
    "asx": '<ASX version="3.0"><Entry><Ref HREF = "{0}" /></Entry><entry><ref href="{1}"></entry></ASX>',
    "asx as text": "[Reference]\nRef1={0}\nRef2={1}\n",
}


@pytest.mark.parametrize("name", PLAYLISTS)
def test_playlists_are_known_by_their_content(name):
    data = PLAYLISTS[name].format("http://host/x?a=1", "https://host/ä").encode()
    kind = kind_of(data[:512], "text/html", BASE)
    assert name.startswith(kind)
    assert entries(data, kind, BASE) == ["http://host/x?a=1", "https://host/ä"]


@pytest.mark.parametrize("name", PLAYLISTS)
@pytest.mark.parametrize("kind", ["application/octet-stream", "audio/mpeg"])
def test_every_kind_of_playlist_leads_to_audio(server, audio, name, kind):
    text = PLAYLISTS[name].format(server.url("/none"), server.url("/a.mp3"))
    server.pages |= {"/list": saying(text.encode(), Content_Type=kind), "/a.mp3": whole(audio)}
    source = UrlSource(server.url("/list"), "a")
    assert seconds(read_all(source)) == pytest.approx(SECONDS, abs=0.1)
    assert not source.live
    assert [path for path, _ in server.requests_seen] == ["/list", "/none", "/a.mp3"]  # in their order


def test_relative_addresses_start_from_the_playlist_behind_its_redirections(server, audio):
    server.pages |= {
        "/list.m3u": redirecting("/deep/er/list.m3u"),
        "/deep/er/list.m3u": saying(b"../a.mp3\n", Content_Type="audio/x-mpegurl"),
        "/deep/a.mp3": whole(audio),
    }
    assert read_all(UrlSource(server.url("/list.m3u"), "a"))


def test_the_entries_are_tried_anew_at_each_opening(server, audio):
    server.pages["/r.pls"] = saying(f"[playlist]\nFile1={server.url('/live')}\nFile2=/spare\n".encode())
    server.pages["/spare"] = icecast(audio, {0: "Spare"})
    source = UrlSource(server.url("/r.pls"), "a")
    blocks, _ = read_until_error(source, SourceError)
    assert {"StreamTitle": "Spare"}.items() <= {k: v for b in blocks for k, v in b.metadata.items()}.items()
    server.pages["/live"] = icecast(audio, {0: "Live"})
    blocks, _ = read_until_error(source, SourceError)
    assert "Live" in [block.metadata.get("StreamTitle") for block in blocks]
    assert source.live


def test_an_entry_that_sends_no_audio_gives_way_to_the_next(server, audio):
    server.pages |= {
        "/r.m3u": saying(b"#EXTM3U\npage\nnoise\na.mp3\n"),
        "/page": whole(b"<html>moved</html>" * 99),
        "/noise": whole(bytes(range(256)) * 99),
        "/a.mp3": whole(audio),
    }
    assert seconds(read_all(UrlSource(server.url("/r.m3u"), "a"))) == pytest.approx(SECONDS, abs=0.1)


def test_playlists_in_playlists_come_to_an_end(server):
    server.pages["/loop.m3u"] = saying(b"#EXTM3U\nloop.m3u\nloop.m3u\n")
    _, error = read_until_error(UrlSource(server.url("/loop.m3u"), "a"), SourceError)
    assert error.retry
    assert len(server.requests_seen) <= 10


@pytest.mark.parametrize("name", PLAYLISTS)
@pytest.mark.parametrize(
    "target",
    ["file:///etc/passwd", "/etc/passwd", "concat:a|b", "data:,x", "ftp://h/a", "mms://h/a", "C:\\a.mp3"],
)
def test_nothing_but_addresses_of_the_network_is_followed(name, target):
    data = PLAYLISTS[name].format(target, "http://host/a").encode()
    kind = name.split()[0]
    assert all(one.startswith("http://host/") for one in entries(data, kind, BASE))


def test_a_local_playlist_that_leads_nowhere_is_told(server):
    server.pages["/r.pls"] = saying(b"[playlist]\nFile1=file:///etc/passwd\n")
    _, error = read_until_error(UrlSource(server.url("/r.pls"), "a"), SourceError)
    assert "without an address that can be followed" in str(error)


def test_xml_that_grows_is_refused():
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + xspf("&b;")[39:]
    for data in (bomb.encode(), ('<?xml version="1.0"?>' + bomb).encode("utf-16")):
        with pytest.raises(PlaylistError, match="DTD"):
            entries(data, "xspf", BASE)
    with pytest.raises(PlaylistError, match="broken XML"):
        entries(b"<playlist><trackList><track></trackList>", "xspf", BASE)


def test_long_playlists_are_bounded():
    lines = "".join(f"http://host/{number}\n" for number in range(100_000))
    assert len(entries(lines.encode(), "m3u", BASE)) == MAX_ENTRIES
    hostile = (b"File1=" + b" " * 400_000 + b"x", b"<ref " * 80_000, b"<track>" * 50_000)
    for kind, data in zip(("pls", "asx", "xspf"), hostile, strict=True):
        with pytest.raises(PlaylistError):
            entries(b"[playlist]\n" * (kind == "pls") + data.replace(b" x", b"file:x"), kind, BASE)


@pytest.mark.parametrize("head", [b"", b"ID3\x04", b"\xff\xfb\x90", b"fLaC", b"OggS", b"RIFF\0\0\0\0WAVE"])
def test_audio_is_no_playlist_whatever_it_is_called(head):
    assert kind_of(head + bytes(range(200)), "audio/x-scpls", "http://h/a.m3u") is None


@pytest.mark.parametrize("page", [b"<html><head>", b"\n <!DOCTYPE html>\n<p>off air", b"\xef\xbb\xbf<html>"])
def test_a_web_page_is_no_playlist_whatever_it_is_called(server, page):
    assert kind_of(page, "audio/x-mpegurl", "http://h/a.m3u") is None
    server.pages["/a.m3u"] = saying(page + b"\nradio\n" * 200, Content_Type="audio/x-mpegurl")
    read_until_error(UrlSource(server.url("/a.m3u"), "a"), SourceError)
    assert len(server.requests_seen) == 1


def test_the_order_of_trials_is_in_the_log_without_addresses(server, audio, caplog):
    server.pages |= {"/s3cret/r.m3u": saying(b"#EXTM3U\nnone\na.mp3\n"), "/s3cret/a.mp3": whole(audio)}
    with caplog.at_level(logging.DEBUG, "stream_match"):
        assert read_all(UrlSource(server.url("/s3cret/r.m3u"), "a"))
    assert "trying the next address of its playlist" in caplog.text
    assert "s3cret" not in caplog.text


MARKS = [
    b"#EXTM3U\n",
    b"[playlist]\n",
    b"File1=",
    b"http://h/",
    b"\n",
    b"<playlist>",
    b"<track>",
    b"<location>",
]
MARKS += [b"</location>", b"</track>", b"<asx>", b'<ref href="', b'"/>', b"[", b"]"]


@settings(max_examples=300, deadline=None)
@given(
    pieces=st.lists(st.one_of(st.binary(max_size=40), st.sampled_from(MARKS)), max_size=30),
    kind=st.sampled_from(["pls", "m3u", "xspf", "asx"]),
)
def test_any_bytes_are_a_playlist_or_none(pieces, kind):
    data = b"".join(pieces)
    kind_of(data[:512], "audio/x-mpegurl", BASE)
    try:
        found = entries(data, kind, BASE)
    except PlaylistError:
        return
    assert 0 < len(found) <= MAX_ENTRIES
    assert all(one.split(":")[0].lower() in ("http", "https", "rtsp", "rtsps") for one in found)
