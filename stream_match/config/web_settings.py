"""Where the page is shown, and to whom."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_core import PydanticCustomError

from stream_match.config.settings import Settings

SHORTEST_TOKEN = 16
"""Letters. Guessing a random one of them over a network takes longer than anybody lives."""

_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9.-]+):(?P<port>[0-9]{1,5})")
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


def web_address(text: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``.

    Parameters
    ----------
    text : str
        A host is a name, an IPv4 address, or an IPv6 address in brackets.

    Raises
    ------
    ValueError
        If it is something else.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match["port"]) > 65_535:
        raise ValueError(text)
    host = match["host"].strip("[]")
    if ":" in host:
        ipaddress.IPv6Address(host)
    return host, int(match["port"])


def is_loopback(host: str) -> bool:
    """Whether only programs on this computer reach a host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _address(text: str) -> str:
    try:
        web_address(text)
    except ValueError:
        raise PydanticCustomError(
            "web_address",
            "it is no HOST:PORT; expected one such as 127.0.0.1:8765, 0.0.0.0:8765 or [::1]:8765",
        ) from None
    return text


def _token(token: SecretStr) -> SecretStr:
    check_token(token.get_secret_value())
    return token


def check_token(token: str) -> None:
    """Refuse a token that could be guessed, or that no browser would send.

    Raises
    ------
    PydanticCustomError
        A ValueError that does not show it.
    """
    if len(token) < SHORTEST_TOKEN or not (token.isascii() and token.isprintable()) or " " in token:
        raise PydanticCustomError(
            "token",
            f"expected at least {SHORTEST_TOKEN} letters and digits, as `openssl rand -hex 16` makes them",
        )


def _host(name: str) -> str:
    name = name.lower()
    if not _NAME.fullmatch(name):
        raise PydanticCustomError("host_name", "it is no name of a host; expected one such as radio.home")
    return name


class WebSettings(Settings):
    """The page: what is playing, the day, the history."""

    listen: Annotated[str, AfterValidator(_address)] | None = Field(
        default=None, description="HOST:PORT at which the page is shown; nowhere if absent"
    )
    token: Annotated[SecretStr, AfterValidator(_token)] | None = Field(
        default=None, description="What a visitor must know; needed where other computers reach the page"
    )
    token_file: Path | None = Field(
        default=None, strict=False, description="File whose first line is the token, instead"
    )
    hosts: tuple[Annotated[str, AfterValidator(_host)], ...] = Field(
        default=(),
        strict=False,
        description="Further names by which the page may be called, such as that of a proxy in front of it",
    )
    report: Path | None = Field(
        default=None, strict=False, description="A page that `report collection` wrote, to be linked"
    )
