"""Secrets that stand in files of their own, so that settings can be shown and copied."""

import os
from pathlib import Path

from pydantic import SecretStr, ValidationInfo
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


def password_of(password: object, info: ValidationInfo) -> object:
    """Return a password, or what the file beside it holds.

    A validator, before others, of a field ``password`` that stands behind a field ``password_file`` and is
    validated by default.

    Raises
    ------
    PydanticCustomError
        If there are both, or the file cannot be read.
    """
    path = info.data.get("password_file")
    if path is None:
        return password
    if password is not None:
        raise PydanticCustomError("password", "it has a password and a password_file: leave out one")
    return read_secret(path)


def _complaint(path: str | Path, what: str) -> PydanticCustomError:
    told = {"path": repr(str(path)), "what": what}
    return PydanticCustomError("password_file", "the file {path} {what}", told)
