"""Passwords in files of their own, and that nothing shows them."""

import os
import traceback

import pytest

from stream_match.config import ListenSettings, read_settings
from stream_match.config.secret_files import LONGEST_BYTES, read_secret
from stream_match.errors import UsageError
from stream_match.publish.address import Address

SECRET = "p@ss/wörd #1 %41"


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n", encoding="utf-8")
    return path


def of_source(path, **more):
    source = {"uri": "http://host/", "username": "ann", "password_file": str(path)} | more
    return ListenSettings.from_mapping({"sources": [source]}, where="x").sources[0]


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_the_end_of_the_line_is_no_part_of_a_password(tmp_path, end):
    path = tmp_path / "secret"
    path.write_bytes(f" {SECRET} {end}".encode())
    assert of_source(path).password.get_secret_value() == f" {SECRET} "


def test_a_relative_file_is_sought_among_the_credentials_first(tmp_path, monkeypatch, secret):
    folder = tmp_path / "credentials"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    assert read_secret("secret").get_secret_value() == SECRET  # it is not there
    (folder / "secret").write_text("of systemd")
    assert read_secret("secret").get_secret_value() == "of systemd"
    assert read_secret(secret).get_secret_value() == SECRET  # absolute


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "is not there"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"one\ntwo\n", "does not hold one line of text"),
        (b"a\0b", "does not hold one line of text"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"x" * (LONGEST_BYTES + 1), f"is longer than {LONGEST_BYTES} bytes"),
        ("folder", "is no file"),
        ("pipe", "is no file"),
    ],
)
def test_a_file_without_a_password_is_one_sentence(tmp_path, content, told):
    path = tmp_path / "secret"
    if content == "folder":
        path.mkdir()
    elif content == "pipe":
        os.mkfifo(path)
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError) as refused:
        of_source(path)
    assert str(refused.value) == f"x: 'sources[0].password': the file {str(path)!r} {told}."


def test_a_name_with_a_zero_byte_is_one_sentence():
    with pytest.raises(UsageError, match=r"cannot be read|is not there"):
        of_source("a\0b")


def test_a_password_and_its_file_together_are_refused(secret):
    for other in ("other", 12345678):
        with pytest.raises(UsageError, match="leave out one") as refused:
            of_source(secret, password=other)
        assert str(other) not in str(refused.value)


def test_a_file_of_a_password_without_a_user_is_refused(secret):
    with pytest.raises(UsageError, match="a password needs a username"):
        of_source(secret, username=None)


def test_a_password_that_changes_in_its_file_is_another_source(secret):
    before = of_source(secret)
    assert before.is_opened_as(of_source(secret))
    secret.write_text("new")
    assert not before.is_opened_as(of_source(secret))
    assert before.is_opened_as(before.model_copy(update={"index": secret}))


def test_a_sink_has_its_password_from_a_file(secret):
    sink = {"uri": "mqtts://broker/base?insecure=1", "username": "ann:b", "password_file": str(secret)}
    (uri,) = ListenSettings.from_mapping({"sinks": [sink]}, where="x").sinks
    found = Address.parse(uri, {})
    assert (found.username, found.password) == ("ann:b", SECRET)
    assert (found.host, found.base, found.tls, found.insecure) == ("broker", "base", True, True)


@pytest.mark.parametrize(
    ("sink", "told"),
    [
        ({"uri": "jsonl:-", "username": "a"}, "'sinks[0]': only mqtt:// and mqtts:// take a username."),
        ({"uri": "mqtt://b@broker", "username": "a"}, "the URI has a user already"),
        ({"uri": "mqtt://broker", "password": "x"}, "a password needs a username"),
        ({"uri": "mqtt://broker", "username": "a", "password_file": "/no/such"}, "'/no/such' is not there"),
        ({"username": "a"}, "'sinks[0].uri': it is missing."),
        ({"uri": "mqtt://broker", "password": 8765}, "'sinks[0].password': write a text, in quotes."),
    ],
)
def test_a_sink_whose_parts_do_not_fit_is_refused(sink, told):
    with pytest.raises(UsageError) as refused:
        ListenSettings.from_mapping({"sinks": sink}, where="x")
    assert told in str(refused.value)
    assert "8765" not in str(refused.value)


def test_the_password_of_brokers_stands_in_the_environment_or_in_a_file(secret):
    name = "STREAM_MATCH_MQTT_PASSWORD_FILE"
    variables = {"STREAM_MATCH_MQTT_USERNAME": "ann", name: str(secret)}
    assert Address.parse("mqtt://broker", variables).password == SECRET
    assert Address.parse("mqtt://bob:own@broker", variables).password == "own"
    variables["STREAM_MATCH_MQTT_PASSWORD"] = "direct"
    assert Address.parse("mqtt://broker", variables).password == "direct"
    with pytest.raises(UsageError) as refused:
        Address.parse("mqtt://broker", {name: "/no/such"})
    assert str(refused.value) == f"The variable {name}: the file '/no/such' is not there."


def test_no_text_of_settings_shows_a_password(tmp_path, secret):
    path = tmp_path / "listen.toml"
    path.write_text(
        f"""
        [[sources]]
        uri = "http://host/"
        username = "ann"
        password_file = "{secret}"
        [[sinks]]
        uri = "mqtt://broker"
        username = "ann"
        password_file = "{secret}"
        """
    )
    found = read_settings(path)
    assert found.sources[0].password.get_secret_value() == SECRET
    for text in (repr(found), str(found), repr(found.sources), str(found.model_dump()["sources"])):
        assert "p@ss" not in text
        assert "p%40ss" not in text


def test_no_trace_of_a_refusal_shows_a_password(tmp_path):
    path = tmp_path / "listen.toml"
    path.write_text("pace = 'x'\nsinks = ['mqtt://a:hunter2@b']\n[[sources]]\nuri='mic:'\npassword='hunter2'")
    with pytest.raises(UsageError) as refused:
        read_settings(path)
    assert "hunter2" not in "".join(traceback.format_exception(refused.value))
