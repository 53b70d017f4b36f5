"""By which names the page may be called, and whether visitors need a token."""

import os
import socket
from pathlib import Path

from stream_match.config import WebSettings
from stream_match.config.web_settings import check_token, is_loopback, web_address
from stream_match.errors import UsageError

TOKEN = "STREAM_MATCH_WEB_TOKEN"  # noqa: S105 - the name of a variable
"""Variable of the environment that has the token, if no setting does."""


def _where(settings: WebSettings) -> tuple[str, int]:
    assert settings.listen is not None
    return web_address(settings.listen)


def host_names(settings: WebSettings) -> set[str]:
    """Return the names by which the page may be called; addresses are always right."""
    host, _ = _where(settings)
    own = {"localhost", host.lower(), *settings.hosts}
    if not is_loopback(host):
        name = socket.gethostname().lower()
        own |= {name, name.partition(".")[0], f"{name.partition('.')[0]}.local"}
    return own


def token_of(settings: WebSettings) -> str | None:
    """Return the token; None if the page is for this computer only, and none is set.

    Raises
    ------
    UsageError
        If other computers reach the page, and there is none; or its file cannot be read.
    """
    if settings.token is not None:
        return settings.token.get_secret_value()
    if settings.token_file is not None:
        return _checked(_first_line(settings.token_file), str(settings.token_file))
    if given := os.environ.get(TOKEN):
        return _checked(given, TOKEN)
    host, _ = _where(settings)
    if not is_loopback(host):
        raise UsageError(
            f"Other computers reach the page at {settings.listen}, so it needs a token: set {TOKEN}, or "
            "token_file in [web], such as by `openssl rand -hex 16`; or show it at 127.0.0.1 only."
        )
    return None


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").partition("\n")[0].strip()
    except OSError as error:
        raise UsageError(f"The token file {str(path)!r} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise UsageError(f"The token file {str(path)!r} is no text.") from None


def _checked(token: str, where: str) -> str:
    try:
        check_token(token)
    except ValueError as error:
        raise UsageError(f"The token in {where} does not do: {error}.") from None
    return token
