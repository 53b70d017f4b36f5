"""A running listener asked over its page, from another process: how it is."""

import json
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from socket import gaierror
from typing import Any

from stream_match.errors import StreamMatchError, words_of

ANSWER_S = 5.0
"""How long a listener may take to say how it is."""


class UnansweredError(StreamMatchError):
    """Nothing answers there, or not as a listener does."""


@dataclass(frozen=True)
class Found:
    """What a listener says of itself.

    Attributes
    ----------
    brief : dict
        What it tells everybody: whether it is ``alive`` and ``ok``.
    full : dict or None
        Its health; None for those whom it does not know.
    """

    brief: dict[str, Any]
    full: dict[str, Any] | None


def inquire(host: str, port: int, token: str | None = None) -> Found:
    """Ask a listener how it is.

    Parameters
    ----------
    host : str
    port : int
    token : str, optional
        Of its page.

    Raises
    ------
    UnansweredError
        One sentence.
    """
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        brief = _asked(host, port, "/healthz")
        full = None if brief is None else _asked(host, port, "/api/health", token)
    except ConnectionRefusedError:
        raise UnansweredError(
            f"Nothing answers at {where}: start the listener (listen --web {where}), or give the address of "
            "its page."
        ) from None
    except TimeoutError:
        raise UnansweredError(f"What is at {where} has not answered within {ANSWER_S:g} s.") from None
    except gaierror:
        raise UnansweredError(f"No computer is known as {host!r}: check the name.") from None
    except OSError as error:
        raise UnansweredError(f"{where} cannot be reached: {words_of(error)}.") from None
    except (HTTPException, ValueError, RecursionError):
        brief = None
    if brief is None:
        raise UnansweredError(f"What answers at {where} is no listener of this version.")
    return Found(brief, full)


def _asked(host: str, port: int, path: str, token: str | None = None) -> dict[str, Any] | None:
    """Return what a listener answers; None if it does not want to, or answers something else."""
    connection = HTTPConnection(host, port, timeout=ANSWER_S)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
        answer = connection.getresponse()
        said = json.loads(answer.read(1 << 20)) if answer.status in (200, 503) else None
    finally:
        connection.close()
    return said if isinstance(said, dict) and {"alive", "ok"} <= said.keys() else None
