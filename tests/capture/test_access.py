"""Passwords and headers go to the server that they are for, and nowhere else."""

import base64
import hashlib
import logging
import re
from urllib.parse import quote

import pytest
from capture_samples import encoded, read_all, read_until_error, seconds, sweep, until_the_end
from capture_servers import RtspServer, Server, guarded, redirecting, saying, serving, whole

from stream_match.capture import open_source
from stream_match.capture.authentication import Login
from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.connections import Connections
from stream_match.capture.url import UrlSource
from stream_match.capture.web import Access, Web
from stream_match.config import ListenSettings, SourceSettings
from stream_match.errors import SourceError, UsageError

pytest.importorskip("av")

SECONDS = 1.0
USER, PASSWORD = 'ann:with"colon', "hünter 2"
NONCE = "dcd98b7102dd2f0e8b11d0f600bfb0c0"
ALGORITHMS = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


@pytest.fixture
def server():
    with serving(Server()) as running:
        yield running


@pytest.fixture
def other():
    with serving(Server()) as running:
        yield running


@pytest.fixture(scope="module")
def audio():
    return encoded(sweep(SECONDS), SAMPLE_RATE_HZ, "FLAC")


def basic(handler):
    pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    return handler.headers["Authorization"] == f"Basic {pair}"


def digest(algorithm, qop="auth"):
    """Checks an answer to Digest by its definition."""
    h = ALGORITHMS[algorithm.removesuffix("-sess")]

    def proper(handler):
        scheme, _, text = handler.headers["Authorization"].partition(" ")
        quoted = {k: re.sub(r"\\(.)", r"\1", v) for k, v in re.findall(r'(\w+)="((?:\\.|[^"\\])*)"', text)}
        bare = dict(re.findall(r"(\w+)=([^\s,\"]+)", text))
        secret = h(f"{USER}:radio:{PASSWORD}".encode()).hexdigest()
        if algorithm.endswith("-sess"):
            secret = h(f"{secret}:{NONCE}:{quoted['cnonce']}".encode()).hexdigest()
        request = h(f"GET:{handler.path}".encode()).hexdigest()
        middle = f"{NONCE}:{bare['nc']}:{quoted['cnonce']}:auth" if qop else NONCE
        expected = h(f"{secret}:{middle}:{request}".encode()).hexdigest()
        return (scheme, quoted["response"], quoted["username"]) == ("Digest", expected, USER)

    return proper


def challenge(algorithm, qop='qop="auth,auth-int", '):
    named = f"algorithm={algorithm}, " if algorithm else ""
    return f'Digest realm="radio", {qop}{named}nonce="{NONCE}", opaque="x"'


def source(address, **settings):
    return UrlSource(address, "radio", username=USER, password=PASSWORD, **settings)


def test_basic_answers_a_challenge_and_is_not_sent_before(server, audio):
    server.pages["/a.flac"] = guarded(whole(audio), 'Basic realm="radio"', proper=basic)
    assert seconds(read_all(source(server.url("/a.flac")))) == pytest.approx(SECONDS, abs=0.1)
    assert ["Authorization" in headers for _, headers in server.requests_seen] == [False, True]


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "MD5-sess", "SHA-256-sess"])
def test_digest(server, audio, algorithm):
    server.pages["/a"] = guarded(whole(audio), challenge(algorithm), proper=digest(algorithm))
    assert seconds(read_all(source(server.url("/a?b=c,d")))) == pytest.approx(SECONDS, abs=0.1)


def test_digest_as_it_was_before_it_had_algorithms(server, audio):
    server.pages["/a"] = guarded(whole(audio), challenge("", qop=""), proper=digest("MD5", qop=""))
    assert seconds(read_all(source(server.url("/a")))) == pytest.approx(SECONDS, abs=0.1)


def test_the_most_secure_of_several_challenges_is_answered(server, audio):
    offered = ['Basic realm="radio"', f"{challenge('MD5')}, {challenge('SHA-256')}", "Negotiate"]
    server.pages["/a"] = guarded(whole(audio), *offered, proper=digest("SHA-256"))
    assert seconds(read_all(source(server.url("/a")))) == pytest.approx(SECONDS, abs=0.1)


def test_a_realm_beyond_ascii_is_the_one_that_the_server_means():
    login = Login("ann", "pw")
    header = f'Digest realm="Büro", nonce="{NONCE}"'.encode().decode("latin-1")  # as http.client has it
    assert login.challenged([header])
    secret = hashlib.md5("ann:Büro:pw".encode(), usedforsecurity=False).hexdigest()
    request = hashlib.md5(b"GET:/a", usedforsecurity=False).hexdigest()
    response = hashlib.md5(f"{secret}:{NONCE}:{request}".encode(), usedforsecurity=False).hexdigest()
    assert f'response="{response}"' in login.answer("GET", "/a")


def test_a_server_has_one_login_however_many_addresses_name_it(server, audio):
    web = Web(server.url("/"), Access(), 5.0, Connections(60.0))
    server.pages["/a"] = guarded(whole(audio), 'Basic realm="radio"', proper=basic)
    user = f"{quote(USER)}:{quote(PASSWORD)}@"
    for number in range(20):
        web.open(server.url(f"/a?{number}", user)).close()
    assert len(web._logins) == 1


def test_the_examples_of_rfc_7616():
    login = Login("Mufasa", "Circle of Life")
    nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
    cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    for algorithm, response in (
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ):
        wanted = {"realm": "http-auth@example.org", "nonce": nonce, "algorithm": algorithm, "qop": "auth"}
        assert f'response="{response}"' in login._digest(
            wanted, "00000001", cnonce, ("GET", "/dir/index.html")
        )


@pytest.mark.parametrize("header", ["", "Digest", 'Digest nonce="', 'Digest =,,"', "Basic", "x" * 99_999])
def test_broken_challenges_are_no_accident(server, audio, header):
    server.pages["/a"] = guarded(whole(audio), header[:60_000], proper=lambda _: False)
    _, error = read_until_error(source(server.url("/a")), SourceError)
    assert "401" in str(error) or "no HTTP" in str(error)
    assert error.retry


def test_a_wrong_password_is_told_and_asked_for_once(server, audio):
    server.pages["/a"] = guarded(whole(audio), challenge("MD5"), proper=lambda _: False)
    _, error = read_until_error(source(server.url("/a")), SourceError)
    assert "401 (Unauthorized); are username and password of the source right?" in str(error)
    assert len(server.requests_seen) == 2


def test_user_and_password_of_the_address_are_used_too(server, audio):
    server.pages["/a"] = guarded(
        whole(audio), 'Basic realm="x"', proper=lambda h: h.headers["Authorization"] == "Basic YW5uOnBhIHNz"
    )
    assert read_all(UrlSource(server.url("/a", "ann:pa%20ss@"), "a"))


def test_nothing_private_goes_where_a_redirection_leads(server, other, audio):
    other.pages["/a"] = guarded(whole(audio), 'Basic realm="radio"', proper=lambda _: True)
    server.pages["/a"] = redirecting(other.url("/a"))
    _, error = read_until_error(source(server.url("/a"), headers={"X-Key": "abc"}), SourceError)
    assert "401" in str(error)
    assert server.requests_seen[0][1]["X-Key"] == "abc"
    assert all(
        "Authorization" not in headers and "X-Key" not in headers for _, headers in other.requests_seen
    )


def test_nothing_private_goes_where_a_playlist_leads(server, other, audio):
    other.pages["/a"] = guarded(whole(audio), 'Basic realm="radio"', proper=lambda _: True)
    server.pages["/r.pls"] = saying(f"[playlist]\nFile1={other.url('/a')}\n".encode())
    read_until_error(source(server.url("/r.pls"), headers={"X-Key": "abc"}), SourceError)
    assert other.requests_seen
    assert all(
        "Authorization" not in headers and "X-Key" not in headers for _, headers in other.requests_seen
    )


def test_on_its_own_server_a_source_stays_known_behind_a_redirection(server, audio):
    server.pages["/b"] = guarded(whole(audio), challenge("SHA-256"), proper=digest("SHA-256"))
    server.pages["/a"] = redirecting("/b?c")
    assert read_all(source(server.url("/a"), headers={"X-Key": "abc"}, user_agent="Winamp/2"))
    for _, headers in server.requests_seen:
        assert (headers["X-Key"], headers["User-Agent"]) == ("abc", "Winamp/2")


def test_rtsp_gets_user_agent_and_password():
    with serving(RtspServer(bytes(8_000))) as camera:
        blocks, _ = read_until_error(source(camera.url(), user_agent="Winamp/2"), SourceError)
    assert blocks
    assert "User-Agent: Winamp/2" in camera.heads[0]


PRIVATE = ("t0p", "s3gment", "hunter2", "abcdef", "zoe")


def test_no_output_holds_a_secret(server, audio, caplog, capfd):
    """Neither what is told of a source, nor an error, nor the log, whatever goes wrong."""
    long = encoded(sweep(3.0), SAMPLE_RATE_HZ, "FLAC")
    server.pages |= {
        "/s3gment/ok": whole(audio),
        "/s3gment/html": whole(b"<html></html>" * 99),
        "/s3gment/cut": lambda h: (h.begin(Content_Length=9_999), h.wfile.write(long[:999])),
        "/s3gment/guarded": guarded(whole(audio), challenge("MD5"), proper=lambda _: False),
        "/s3gment/loop": redirecting("/s3gment/loop"),
        "/s3gment/file": redirecting("file:///s3gment"),
        "/s3gment/pls": saying(
            b"[playlist]\nFile1=http://127.0.0.1:1/s3gment?t0p\nFile2=http://s3gment.invalid/"
        ),
        "/s3gment/hls": saying(
            b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:1/s3gment\n#EXT-X-ENDLIST"
        ),
        "/s3gment/bad": lambda h: h.wfile.write(b"s3gment t0p\r\n\r\n"),
        "/s3gment/header": lambda h: h.wfile.write(
            b"HTTP/1.1 302 s3gment\r\nLocation: http://[s3gment\r\n\r\n"
        ),
    }
    told = []
    with caplog.at_level(logging.DEBUG):
        for page in [*server.pages, "/s3gment/none"]:
            one = open_source(
                SourceSettings(
                    uri=server.url(f"{page}?token=t0p", "zoe:hunter2@"),
                    headers={"X-Key": "abcdef"},
                    username="zoe",
                    password="hunter2",
                )
            )
            _, error = until_the_end(one)
            told += [one.name, one.uri, repr(error), str(error)]
            assert error is None or (error.__suppress_context__ and error.__cause__ is None)
    told += [caplog.text, *capfd.readouterr()]
    assert len([text for text in told if text.startswith("SourceError")]) == len(server.pages)  # all but one
    for text in told:
        assert not [secret for secret in PRIVATE if secret in text], text


def test_settings_do_not_show_what_is_private(tmp_path):
    path = tmp_path / "listen.toml"
    path.write_text(
        "[[sources]]\nuri = 'http://ann:hunter2@h/abcdef'\nusername = 'x'\npassword = 'hunter2'\n"
        "headers = {X-Key = 'abcdef'}\n"
    )
    settings = ListenSettings.from_toml(path)
    for text in (repr(settings), str(settings), repr(settings.sources[0])):
        assert "hunter2" not in text
        assert "abcdef" not in text
    path.write_text("[[sources]]\nuri = 'http://h/'\npassword = 'hunter2'\n")
    with pytest.raises(UsageError, match="a password needs a username") as refused:
        ListenSettings.from_toml(path)
    assert "hunter2" not in str(refused.value)
