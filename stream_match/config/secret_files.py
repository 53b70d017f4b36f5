"""Secrets that stand in files of their own, so that settings can be shown and copied."""

import os
from pathlib import Path

from pydantic import SecretStr
from pydantic_core import PydanticCustomError

CREDENTIALS_VARIABLE = "CREDENTIALS_DIRECTORY"
"""Folder in which systemd puts what ``LoadCredential=`` names."""

LONGEST_BYTES = 4096


def read_secret(path: str | Path) -> SecretStr:
    """Read a secret: one line of UTF-8; the end of the line is no part of it.

    Parameters
    ----------
    path : str or Path
        A relative one is sought in systemd's folder of credentials first, then where the program runs.

    Raises
    ------
    PydanticCustomError
        If it cannot be read or holds something else; one sentence that never shows what it holds.
    """
    try:
        place = place_of_secret(path)
        there, is_file = place.exists(), place.is_file()
        data = _beginning(place) if is_file else b""
        text = data.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise _complaint(path, "is not UTF-8") from None
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        raise _complaint(path, f"cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if not is_file:  # a pipe without a writer would be waited for
        raise _complaint(path, "is no file" if there else "is not there")
    if len(data) > LONGEST_BYTES:
        raise _complaint(path, f"is longer than {LONGEST_BYTES} bytes")
    if not text or "\n" in text or "\0" in text:
        raise _complaint(path, "does not hold one line of text" if text else "is empty")
    return SecretStr(text)


def _beginning(place: Path) -> bytes:
    with place.open("rb") as file:
        return file.read(LONGEST_BYTES + 1)


def place_of_secret(path: str | Path) -> Path:
    """Say where a secret is sought."""
    folder = os.environ.get(CREDENTIALS_VARIABLE)
    place = Path(folder or "", path)
    return place if place.exists() else Path(path)


def with_secret(content: object) -> object:
    """Put the secret of ``password_file`` into a table of settings as its ``password``.

    Parameters
    ----------
    content : object
        A table from outside; anything else is returned as it is, to be refused by whoever checks it.

    Raises
    ------
    PydanticCustomError
        If it has both, or the file cannot be read.
    """
    if not isinstance(content, dict) or not isinstance(path := content.get("password_file"), str | Path):
        return content
    if content.get("password") is not None:
        raise PydanticCustomError("password", "it has a password and a password_file: leave out one")
    return {**content, "password": read_secret(path)}


def _complaint(path: str | Path, what: str) -> PydanticCustomError:
    told = {"path": repr(str(path)), "what": what}
    return PydanticCustomError("password_file", "the file {path} {what}", told)
