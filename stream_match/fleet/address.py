"""Where the servers of a fleet are, and how to enter."""

import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from stream_match.config.share_settings import ShareSettings
from stream_match.errors import UsageError
from stream_match.fleet.bucket import FleetError

PORT = 4222

SCHEMES = ("nats", "tls")


@dataclass(frozen=True)
class Server:
    """A NATS server.

    Attributes
    ----------
    host, port
        Where it listens.
    tls
        Whether the connection has to be encrypted.
    username, password
        Without a username, the password is a token. Kept out of `repr` and `uri`.
    """

    host: str
    port: int = PORT
    tls: bool = False
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @property
    def uri(self) -> str:
        """The URI without secrets, fit for logs."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'tls' if self.tls else 'nats'}://{host}:{self.port}"


def servers_of(settings: ShareSettings) -> tuple[Server, ...]:
    """Return the servers that settings name.

    Parameters
    ----------
    settings : ShareSettings
        A server without a scheme has that of the first one, and one without a user or token has the first
        one's. Those in `settings` go before all.

    Raises
    ------
    UsageError
        If a server cannot be understood; the message shows no secret.
    """
    scheme, known, _ = settings.servers[0].partition("://") if settings.servers else ("", "", "")
    first: Server | None = None
    found = []
    for text in settings.servers:
        server = _server(text if "://" in text or not known else f"{scheme}://{text}", first, settings)
        first = first or server
        found.append(server)
    return tuple(found)


def _server(uri: str, first: Server | None, settings: ShareSettings) -> Server:
    try:
        parts = urlsplit(uri)
        port = parts.port or PORT
        extra = parts.path.strip("/") or parts.query or parts.fragment
        known = parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0 and not extra
    except ValueError:  # a port that is no number, a torn [IPv6] address
        known = False
    if not known:
        raise UsageError(
            f"The server {_masked(uri)!r} cannot be understood: expected nats://HOST:PORT or "
            "tls://HOST:PORT, and commas between several; a password is best kept in [share] password_file."
        )
    username, password = parts.username, parts.password
    if username is not None and password is None:
        username, password = None, username
    if settings.password is not None:
        username, password = settings.username, settings.password.get_secret_value()
    elif password is not None:
        username, password = unquote(username) if username else None, unquote(password)
    elif first is not None:
        username, password = first.username, first.password
    return Server(parts.hostname or "", port, parts.scheme == "tls", username, password)


def _masked(uri: str) -> str:
    """Hide whatever could be a user, a password or a token in a URI, however broken it is."""
    scheme, found, rest = uri.partition("://")
    if not found:
        return "***"
    shown = re.sub(r"^.*@", "***@", rest, flags=re.DOTALL)
    safe = re.fullmatch(r"(\*\*\*@)?(\[[0-9a-fA-F:.]*\]|[\w.-]*)(:\w{0,5})?/?", shown)
    return f"{scheme[:10]}://{shown if safe else '***'}"


def tls_context(settings: ShareSettings, servers: Sequence[Server]) -> ssl.SSLContext | None:
    """Return how to encrypt; None where nothing is said about it, and no server asks for it by its scheme.

    Raises
    ------
    FleetError
        If a file of certificates or the key cannot be used. A certificate may be renewed while we run.
    """
    if settings.cafile is None and settings.certfile is None and not any(one.tls for one in servers):
        return None
    try:
        context = ssl.create_default_context(cafile=settings.cafile)
    except OSError as error:  # ssl.SSLError is one too
        raise _unusable("cafile", settings.cafile, error) from None
    if settings.certfile is not None:
        try:
            # Without a password OpenSSL would ask for one on the terminal, and wait.
            context.load_cert_chain(settings.certfile, settings.keyfile, password="")
        except OSError as error:
            raise _unusable("certfile", settings.certfile, error) from None
    return context


def _unusable(key: str, path: Path | None, error: OSError) -> FleetError:
    why = getattr(error, "reason", None) or error.strerror or type(error).__name__
    return FleetError("certificates", f"[share] {key} {str(path)!r} cannot be used ({why}): give a PEM file.")
