"""The server of the page: what it answers, whom it refuses, and what it survives."""

import contextlib
import json
import logging
import socket
import time

import pytest
from page_fakes import DEADLINE_S, PagedListener, running
from publish.publish_samples import match, sound

pytest.importorskip("starlette", reason="the extra web is not installed")
pytest.importorskip("uvicorn", reason="the extra web is not installed")

from stream_match.config import ListenSettings
from stream_match.errors import UsageError
from stream_match.web import connection, live
from stream_match.web.guard import LARGEST_BODY_BYTES, POLICY

TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def listener(tmp_path_factory):
    with PagedListener(tmp_path_factory.mktemp("state")) as house:
        running(house)
        yield house


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    with PagedListener(tmp_path_factory.mktemp("state"), token=TOKEN, hosts=("radio.home",)) as house:
        yield house


def raw(listener, text):
    """Send bytes as they are; return the answer."""
    with socket.create_connection(("127.0.0.1", listener.port), DEADLINE_S) as plug:
        plug.sendall(plain(text))
        if b"Connection: close" not in plain(text):
            plug.shutdown(socket.SHUT_WR)
        answer = b""
        while part := plug.recv(65536):
            answer += part
    return answer


def plain(text):
    return text.encode() if isinstance(text, str) else text


def asked(listener, path="/", host=None, method="GET", **more):
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host or f'127.0.0.1:{listener.port}'}"]
    lines += [f"{key.replace('_', '-')}: {value}" for key, value in more.items()]
    return raw(listener, "\r\n".join([*lines, "Connection: close", "", ""]))


def code(answer):
    return int(answer.split()[1])


def test_the_page_and_its_files_come_with_a_strict_policy(listener):
    for path in ("/", "/assets/page.js", "/assets/page.css", "/assets/page.webmanifest"):
        status, headers, content = listener.request("GET", path)
        assert (status, headers["content-security-policy"]) == (200, POLICY), path
        assert content
        tagged, _, nothing = listener.request("GET", path, if_none_match=headers["etag"])
        assert (tagged, nothing) == (304, b"")
    assert "unsafe" not in POLICY


def test_no_file_of_the_page_asks_for_anything_elsewhere(listener):
    page = listener.request("GET", "/")[2].decode()
    assert "style=" not in page
    assert "<script>" not in page
    for path in {part.split('"')[0] for part in page.split('"/assets/')[1:]}:
        content = listener.request("GET", f"/assets/{path}")[2]
        assert b"innerHTML" not in content
        assert b"https:" not in content
        assert b"http://" not in content.replace(b"http://www.w3.org/2000/svg", b"")


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8765", "", "a@127.0.0.1",
     "127.0.0.1:x", "[::1", "127.0.0.1/evil", "localhost evil.example"],
)  # fmt: skip
def test_a_name_that_is_not_ours_is_refused(listener, host):
    answer = raw(listener, f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
    assert code(answer) in (400, 421)
    assert b"<html" not in answer


@pytest.mark.parametrize("host", ["localhost:1234", "LOCALHOST", "[::1]:8765", "192.168.1.7:8765"])
def test_this_computer_and_addresses_are_called_by_right(listener, host):
    assert code(asked(listener, host=host)) == 200


def test_a_name_of_the_settings_is_one_of_ours(locked):
    assert code(asked(locked, "/assets/page.css", host="radio.home")) == 200


def test_two_hosts_or_none_are_refused(listener):
    assert code(raw(listener, "GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")) in (
        400,
        421,
    )
    assert code(raw(listener, "GET / HTTP/1.0\r\n\r\n")) == 421


@pytest.mark.parametrize(
    "headers",
    [{"origin": "http://evil.example"}, {"origin": "null"}, {"sec_fetch_site": "cross-site"},
     {"sec_fetch_site": "same-site"}, {"content_type": "text/plain"},
     {"content_type": "application/x-www-form-urlencoded"}],
)  # fmt: skip
def test_what_another_page_asks_for_changes_nothing(listener, headers):
    before = list(listener.control.named)
    body = json.dumps({"source": "kitchen", "cluster": "RUN-3", "name": "bell"})
    status, _, _ = listener.request(
        "POST", "/api/name", body, **{"content_type": "application/json", **headers}
    )
    assert status in (403, 415)
    assert listener.control.named == before


def test_our_own_page_may_name(listener):
    body = json.dumps({"source": "kitchen", "cluster": "RUN-9", "name": "bell"})
    origin = listener.address.rstrip("/")
    status, _, content = listener.request(
        "POST", "/api/name", body, content_type="application/json", origin=origin
    )
    assert (status, json.loads(content)["name"]) == (200, "bell")
    assert listener.control.named[-1] == ("kitchen", "RUN-9", "bell")


def marking(listener, **told):
    body = json.dumps({"source": "kitchen", "name": "bell", **told})
    status, _, content = listener.request("POST", "/api/mark", body, content_type="application/json")
    return status, json.loads(content)


def test_the_page_may_mark_what_is_held_and_clips(listener):
    assert marking(listener, last_seconds=7.5)[0] == 200
    assert marking(listener, clip="kitchen/a.flac")[1]["title"] == "bell"
    assert listener.control.marked[-2:] == [("kitchen", "bell", 7.5), ("kitchen", "bell", "kitchen/a.flac")]


@pytest.mark.parametrize("seconds", ["7", True, 0, -3, float("nan"), float("inf"), 10**400, 86_400, [7]])
def test_a_stretch_that_is_none_gets_a_sentence(listener, seconds):
    status, said = marking(listener, last_seconds=seconds)
    assert (status, said["error"].startswith("Expected last_seconds")) == (400, True)


def test_an_index_that_cannot_be_written_is_no_fault_of_the_page(listener):
    status, said = marking(listener, name="refused", last_seconds=5)
    assert (status, "the disk is full" in said["error"]) == (503, True)


@pytest.mark.parametrize("body", ["", "[]", "{", '"text"', '{"name": 3, "source": "k"}', "[" * 50_000])
def test_a_body_that_is_no_object_gets_a_sentence(listener, body):
    status, _, content = listener.request("POST", "/api/name", body, content_type="application/json")
    assert status == 400
    assert json.loads(content)["error"].startswith("Expected")


def test_a_long_body_is_not_read(listener):
    body = b"x" * (LARGEST_BODY_BYTES + 1)
    status, _, _ = listener.request("POST", "/api/name", body, content_type="application/json")
    assert status == 413
    head = "POST /api/name HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += "Transfer-Encoding: chunked\r\n\r\n"
    part = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    assert code(raw(listener, head.encode() + 3 * part)) == 413


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT"])
def test_other_methods_are_refused(listener, method):
    assert code(asked(listener, method=method)) in (400, 405)


@pytest.mark.parametrize(
    "path",
    ["/assets/../server.py", "/assets/%2e%2e/server.py", "/assets/..%2fserver.py", "/assets//etc/passwd",
     "/clips/..%2f..%2fetc%2fpasswd", "/clips/%00", "//etc/passwd", "/assets/", "/.git/config", "/clips/x"],
)  # fmt: skip
def test_what_is_not_there_is_not_found(listener, path):
    answer = asked(listener, path)
    assert code(answer) == 404
    assert b"root:" not in answer
    assert b"import " not in answer


@pytest.mark.parametrize(
    "query",
    ["from=yesterday&to=today", "from=2026-01-01T00:00:00&to=2026-01-02T00:00:00Z", "",
     "from=0001-01-01T00:00:00Z&to=9999-12-31T00:00:00Z",
     "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z"],
)  # fmt: skip
def test_a_day_that_is_none_gets_a_sentence(listener, query):
    status, _, content = listener.request("GET", f"/api/day?{query}")
    assert status == 400
    assert json.loads(content)["error"]


@pytest.mark.parametrize("query", ["offset=-1", "limit=x", "offset=99999999999999", "limit=%C2%B2", "from=x"])
def test_a_part_of_the_history_that_is_none_gets_a_sentence(listener, query):
    assert listener.request("GET", f"/api/history?{query}")[0] == 400


def test_a_token_is_asked_for_once(locked):
    assert locked.request("GET", "/api/health")[0] == 401
    status, _, page = locked.request("GET", "/", accept="text/html")
    assert status == 401
    assert b"<form" in page
    status, headers, _ = locked.request("GET", f"/?token={TOKEN}&x=1")
    assert (status, headers["location"]) == (303, "/?x=1")
    cookie = headers["set-cookie"]
    assert TOKEN not in cookie
    assert "httponly" in cookie.lower()
    assert "samesite=lax" in cookie.lower()
    assert locked.request("GET", "/", cookie=cookie.partition(";")[0])[0] == 200
    assert locked.request("GET", "/", authorization=f"Bearer {TOKEN}")[0] == 200
    assert locked.request("GET", "/assets/page.css")[0] == 200


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], TOKEN + "0", "ü", "%00"])
def test_a_wrong_token_lets_nobody_in(locked, token):
    assert code(asked(locked, f"/?token={token}".encode("ascii", "ignore").decode())) == 401
    assert locked.request("GET", "/", authorization=f"Bearer {token}".encode().decode("latin-1"))[0] == 401
    assert locked.request("GET", "/", cookie="stream_match=" + "0" * 64)[0] == 401
    form = {"content_type": "application/x-www-form-urlencoded"}
    assert locked.request("POST", "/enter", f"token={token}".encode(), **form)[0] == 401


def test_the_right_token_enters_by_the_form(locked):
    form = {"content_type": "application/x-www-form-urlencoded"}
    status, headers, _ = locked.request("POST", "/enter", f"token={TOKEN}", **form)
    assert (status, headers["location"]) == (303, "/")
    elsewhere = {"origin": "http://evil.example", **form}
    assert locked.request("POST", "/enter", f"token={TOKEN}", **elsewhere)[0] == 403


def test_other_computers_need_a_token(tmp_path):
    with pytest.raises(UsageError, match="needs a token"):
        PagedListener(tmp_path, stored=False, listen="0.0.0.0:0").start()


@pytest.mark.parametrize(
    ("web", "said"),
    [({"listen": "nowhere"}, "HOST:PORT"), ({"listen": "127.0.0.1:99999"}, "HOST:PORT"),
     ({"listen": "[::x]:1"}, "HOST:PORT"), ({"listen": 8765}, "text"), ({"token": "short"}, "at least 16"),
     ({"hosts": ["a b"]}, "no name of a host"),
     ({"lisen": "x"}, "did you mean 'listen'")],
)  # fmt: skip
def test_settings_that_do_not_fit_get_a_sentence(web, said):
    with pytest.raises(UsageError, match=said) as raised:
        ListenSettings.from_mapping({"web": web}, where="here")
    assert "short" not in str(raised.value)


def test_a_stream_tells_what_is_true_then_what_happens(listener):
    listener.tell(match, "started", match_id="live-1")
    until_there(lambda: present(listener)["matches"])
    with listener.live() as messages:
        name, _, now = next(messages)
        assert name == "now"
        assert [one["match_id"] for one in now["sources"]["kitchen"]["matches"]] == ["live-1"]
        ended = listener.tell(match, "ended", match_id="live-1", ended_s=3.0)
        name, event_id, told = first(messages, "told")
        assert (event_id, told["phase"]) == (ended.event_id, "ended")
    assert not present(listener)["matches"]


def test_a_stream_goes_on_where_it_was_left(listener):
    first_told = listener.tell(match, "started", match_id="cut-1")
    missed = listener.tell(match, "ended", match_id="cut-1", ended_s=3.0)
    with listener.live(after=first_told.event_id) as messages:
        assert next(messages)[2]["replayed"]
        assert first(messages, "told")[1] == missed.event_id


@pytest.mark.parametrize("after", ["", "x", "0" * 26, "Z" * 26, "ü", "%0d%0aevil"])
def test_an_id_that_nobody_gave_begins_anew(listener, after):
    answer = None
    with listener.live(after=after.encode("ascii", "ignore").decode()) as messages:
        answer = next(messages)
    assert (answer[0], answer[2]["replayed"]) == ("now", False)


def test_what_is_heard_is_shown_only_to_those_who_look(listener):
    until_there(lambda: listener.chroma.viewers == 0)
    listener.sound()
    with listener.live() as messages:
        next(messages)
        until_there(lambda: listener.chroma.viewers)
        listener.sound(440.0)
        _, _, piece = first(messages, "chroma")
        assert piece["source"] == "kitchen"
        assert piece["level_dbfs"] == pytest.approx(-13.5, abs=0.2)
        frames = piece["frames"]
        assert len(frames) > 12
    until_there(lambda: listener.chroma.viewers == 0)


def test_a_page_without_a_store_lives_from_now_on(tmp_path):
    with PagedListener(tmp_path, stored=False) as house:
        running(house)
        with house.live() as messages:
            assert next(messages)[2]["history"] is False
            told = house.tell(sound)
            assert first(messages, "told")[1] == told.event_id
        status, _, content = house.request("GET", "/api/history")
        assert status == 404
        assert b"--state" in content


def test_two_hundred_who_never_read_keep_nobody_else_out(listener):
    plugs = []
    try:
        for _ in range(200):
            plug = socket.create_connection(("127.0.0.1", listener.port), DEADLINE_S)
            plug.sendall(b"GET /api/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            plugs.append(plug)
        assert listener.request("GET", "/")[0] == 200
        with listener.live() as messages:
            assert next(messages)[0] == "now"
            told = listener.tell(sound)
            assert first(messages, "told")[1] == told.event_id
        until_there(lambda: listener.chroma.viewers <= live.MOST_STREAMS)
        assert listener.connections <= connection.MOST_CONNECTIONS
    finally:
        for plug in plugs:
            plug.close()


def test_who_reads_nothing_is_cut_off(listener, monkeypatch):
    monkeypatch.setattr(connection, "STUCK_S", 0.2)
    with socket.create_connection(("127.0.0.1", listener.port), DEADLINE_S) as plug:
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        # Many answers on one connection, none of which is read.
        ask = b"GET /assets/page.css HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with pytest.raises(ConnectionError):
            asked_again_and_again(plug, ask)


def test_who_asks_nothing_is_cut_off(listener, monkeypatch):
    monkeypatch.setattr(connection, "ASK_WITHIN_S", 0.2)
    with socket.create_connection(("127.0.0.1", listener.port), DEADLINE_S) as plug:
        plug.sendall(b"GET / HTTP/1.1\r\nHo")
        assert ended(plug)


@pytest.mark.parametrize(
    "noise",
    [b"\x00" * 100, b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000],
)
def test_noise_gets_an_error_and_the_page_goes_on(listener, noise):
    with contextlib.suppress(ConnectionError):
        assert raw(listener, noise)[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 431", b"")
    assert listener.request("GET", "/")[0] == 200


def test_a_port_in_use_is_told_once_and_tried_again(tmp_path, caplog, monkeypatch):
    from stream_match.web import server

    monkeypatch.setattr(server, "RETRY_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as taken, caplog.at_level(logging.WARNING):
        house = PagedListener(tmp_path, stored=False)
        house.port = taken.getsockname()[1]
        house.start(served=False)
        until_there(lambda: "cannot be shown" in caplog.text)
        time.sleep(0.3)
        assert caplog.text.count("cannot be shown") == 1
        taken.close()
        until_there(lambda: house.is_served)
    house.stop()


def test_it_ends_at_once_while_pages_are_open(tmp_path):
    house = PagedListener(tmp_path, stored=False)
    house.start()
    with house.live() as messages:
        next(messages)
        began = time.monotonic()
        house.stop()
        assert time.monotonic() - began < 5.0


def asked_again_and_again(plug, ask):
    plug.settimeout(DEADLINE_S)
    for _ in range(100_000):
        plug.sendall(ask)


def ended(plug):
    try:
        return plug.recv(1) == b""
    except ConnectionResetError:
        return True


def present(listener):
    with listener.live() as messages:
        return next(messages)[2]["sources"]["kitchen"]


def first(messages, name):
    return next(message for message in messages if message[0] == name)


def until_there(condition):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
