"""The computer: its clock, and the libraries that the settings need."""

import importlib
import time
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from importlib.metadata import PackageNotFoundError, version
from ssl import CERT_NONE, create_default_context
from urllib.parse import urlsplit

from stream_match.config import ListenSettings
from stream_match.doctor.check import Check, Finding, aside, checked
from stream_match.errors import install_command, words_of

EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)
"""Before this program was written. A computer without a clock of its own begins in 1970 or with its image."""

LATEST = datetime(2100, 1, 1, tzinfo=UTC)

SKEW_S = 30.0
"""Difference from a server's clock that is told. A `Date` has whole seconds, and takes its time to arrive."""

SERVER_S = 5.0

SET_IT = "Set the clock: timedatectl set-ntp true, or run chrony. Until then times in events are wrong."

NEEDS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "http": (("av", "av", "stream"),),
    "https": (("av", "av", "stream"),),
    "rtsp": (("av", "av", "stream"),),
    "rtsps": (("av", "av", "stream"),),
    "mic": (("sounddevice", "sounddevice", ""),),
    "embedded": (("amqtt", "amqtt", "embedded"),),
    "mqtt": (("aiomqtt", "aiomqtt", ""),),
    "mqtts": (("aiomqtt", "aiomqtt", ""),),
    "web": (
        ("starlette", "starlette", "web"),
        ("uvicorn", "uvicorn", "web"),
        ("prometheus_client", "prometheus-client", "web"),
    ),
}
"""What is asked for → module, package and extra."""


async def computer_checks(settings: ListenSettings) -> AsyncIterator[Check]:
    """Check the clock and the libraries.

    Parameters
    ----------
    settings : ListenSettings
    """
    servers = [source.uri for source in settings.sources if _kind(source.uri) in ("http", "https")]
    yield await checked("clock", lambda: aside(lambda: _clock(servers)), limit_s=3 * SERVER_S)
    kinds = [_kind(source.uri) for source in settings.sources] + [_kind(sink) for sink in settings.sinks]
    kinds += ["web"] if settings.web.listen is not None else []
    for module, package, extra in dict.fromkeys(need for kind in kinds for need in NEEDS.get(kind, ())):
        look = partial(_library, module, package, extra)
        yield await checked(f"library {package}", partial(aside, look), limit_s=30.0)


def _kind(uri: str) -> str:
    return uri.partition(":")[0].rpartition("=")[2].lower()


def _library(module: str, package: str, extra: str) -> str:
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        said = f"{package} is not installed ({error.name})."
        raise Finding(said, f"{install_command(extra)}.") from None
    except OSError as error:  # sounddevice without PortAudio
        said = f"{package} cannot be used ({words_of(error)})."
        raise Finding(said, "apt install libportaudio2.") from None
    try:
        return f"{package} {version(package)}."
    except PackageNotFoundError:
        return f"{package} is there."


def _clock(servers: Iterable[str]) -> str | tuple[str, str]:
    before = time.monotonic()
    now = datetime.now(UTC)
    if not EARLIEST <= now < LATEST:
        raise Finding(f"The clock says {now:%Y-%m-%d}.", SET_IT)
    if time.monotonic() < before:
        raise Finding("The monotonic clock goes back.", "Report this to whoever made the system.")
    for uri in servers:
        theirs = _time_of(uri)
        if theirs is None:
            continue
        skew_s = (datetime.now(UTC) - theirs).total_seconds()
        host = urlsplit(uri.partition("=")[2] or uri).hostname or "the server"
        if abs(skew_s) > SKEW_S:
            raise Finding(f"The clock is {skew_s:+.0f} s from that of {host}.", SET_IT)
        return f"It is {now:%Y-%m-%d %H:%M:%S} UTC, as at {host}."
    return f"It is {now:%Y-%m-%d %H:%M:%S} UTC; there is no server to compare it with."


def _time_of(uri: str) -> datetime | None:
    """Return the time of a web server; no password is sent, and no certificate asked for."""
    try:
        parts = urlsplit(uri if "://" in uri.partition("=")[0] else uri.partition("=")[2])
        if parts.scheme == "https":
            context = create_default_context()
            context.check_hostname, context.verify_mode = False, CERT_NONE
            connection: HTTPConnection = HTTPSConnection(
                parts.hostname or "", parts.port, timeout=SERVER_S, context=context
            )
        else:
            connection = HTTPConnection(parts.hostname or "", parts.port, timeout=SERVER_S)
        try:
            connection.request("HEAD", "/")
            said = connection.getresponse().headers.get("Date")
        finally:
            connection.close()
        found = None if said is None else parsedate_to_datetime(said)
    except (OSError, HTTPException, ValueError):
        return None
    return None if found is None or found.tzinfo is None else found
