"""Addresses of indexes on Milvus: what they say, what they hide, and what is refused."""

import pytest

from stream_match.errors import UsageError
from stream_match.milvus.address import PORT, TOKEN_FILE_VARIABLE, TOKEN_VARIABLE, MilvusAddress


def parse(uri, **environ):
    return MilvusAddress.parse(uri, environ)


def test_a_short_address():
    address = parse("milvus://host/music")
    assert (address.host, address.port, address.name, address.tls) == ("host", PORT, "music", False)
    assert address.uri == f"milvus://host:{PORT}/music"


def test_user_and_password_are_decoded_and_shown_nowhere():
    address = parse("milvuss://root:p%40ss%2Fword@[::1]:443/music?cafile=ca.pem")
    assert (address.token, address.host, address.port) == ("root:p@ss/word", "::1", 443)
    assert (address.tls, address.cafile) == (True, "ca.pem")
    assert "p@ss" not in repr(address) + address.uri
    assert address.uri == "milvuss://[::1]:443/music"


def test_the_environment_stands_in_for_user_and_password(tmp_path):
    file = tmp_path / "token"
    file.write_text("root:Milvus\n")
    assert parse("milvus://host/music", **{TOKEN_VARIABLE: "a:b"}).token == "a:b"
    assert parse("milvus://host/music", **{TOKEN_FILE_VARIABLE: str(file)}).token == "root:Milvus"
    assert parse("milvus://u:v@host/music", **{TOKEN_VARIABLE: "a:b"}).token == "u:v"


def test_a_file_of_the_token_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match=TOKEN_FILE_VARIABLE):
        parse("milvus://host/music", **{TOKEN_FILE_VARIABLE: str(tmp_path / "none")})


@pytest.mark.parametrize(
    "uri",
    [
        "milvus://host",
        "milvus://host/",
        "milvus:///music",
        "milvus:host/music",
        "milvus://host:0/music",
        "milvus://host:99999/music",
        "milvus://host:port/music",
        "milvus://[::1/music",
        "milvus://host/music#part",
        "http://host/music",
        f"milvus://{'a' * 64}.org/music",
    ],
)
def test_what_cannot_be_understood_is_told_with_what_is_expected(uri):
    with pytest.raises(UsageError, match=r"expected milvus://HOST"):
        parse(uri)


@pytest.mark.parametrize(
    "uri", ["milvus://u:secret@:1/music", "milvus://u:se/cret@host/", "milvus:u:secret@h/x"]
)
def test_a_broken_address_shows_no_secret(uri):
    with pytest.raises(UsageError) as raised:
        parse(uri)
    assert "cret" not in str(raised.value)


@pytest.mark.parametrize(
    "name",
    [
        "9music",
        "mu-sic",
        "mu%20sic",
        "m%22%20or%20true",
        "a/b",
        "..",
        "m" * 101,
        "müsic",
        "music_lock",
        "music_0123456789abcdef01_codes",
        "_music",
    ],
)
def test_names_that_could_be_something_else_are_refused(name):
    with pytest.raises(UsageError, match="cannot name an index on Milvus"):
        parse(f"milvus://host/{name}")


@pytest.mark.parametrize(
    ("uri", "complaint"),
    [
        ("milvus://host/music?cafile=a.pem", "does not belong"),
        ("milvuss://host/music?insecure=1", "does not belong"),
        ("milvuss://host/music?cafile=", "names no file"),
        ("milvuss://host/music?keyfile=a.pem", "need each other"),
    ],
)
def test_options_are_checked(uri, complaint):
    with pytest.raises(UsageError, match=complaint):
        parse(uri)
