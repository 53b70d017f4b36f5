"""Where a broker is and how to enter: the ``mqtt:`` and ``mqtts:`` URIs."""

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from stream_match.config.secret_files import read_secret
from stream_match.errors import UsageError
from stream_match.publish.topics import BASE

USERNAME_VARIABLE = "STREAM_MATCH_MQTT_USERNAME"
PASSWORD_VARIABLE = "STREAM_MATCH_MQTT_PASSWORD"  # noqa: S105  (the name of the variable, not a password)
PASSWORD_FILE_VARIABLE = f"{PASSWORD_VARIABLE}_FILE"

CREDENTIALS = (
    "the URI, in username and password (or password_file) of the sink in the settings, or in "
    f"{USERNAME_VARIABLE} and {PASSWORD_VARIABLE} (or {PASSWORD_FILE_VARIABLE})"
)
"""Where user and password may stand, for sentences."""

LOOPBACK = "127.0.0.1"
PORT = 1883
TLS_PORT = 8883

_PATHS = ("cafile", "certfile", "keyfile")
_BOOLEANS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Address:
    """A broker, and the base of the topics there.

    Attributes
    ----------
    host, port
        Where it listens.
    base
        First part of every topic, without slashes at its ends.
    tls, cafile, insecure
        Whether to encrypt; a file of trusted certificates instead of the system's; whether to
        accept any certificate.
    certfile, keyfile
        The client's own certificate and its key, for brokers that ask for one. The key may stand in
        the file of the certificate.
    username, password
        Kept out of `repr` and `uri`.
    """

    host: str
    port: int = PORT
    base: str = BASE
    tls: bool = False
    cafile: str | None = None
    insecure: bool = False
    certfile: str | None = None
    keyfile: str | None = None
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @property
    def uri(self) -> str:
        """The URI without secrets, fit for logs."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}/{self.base}"

    @classmethod
    def parse(cls, uri: str, environ: Mapping[str, str] | None = None) -> Self:
        """Understand ``mqtt[s]://[user:pass@]host[:port][/base][?OPTIONS]``.

        The options of ``mqtts:`` are ``cafile=PATH``, ``certfile=PATH``, ``keyfile=PATH`` and
        ``insecure=1``, joined with ``&``.

        Parameters
        ----------
        uri : str
            User and password may be percent-encoded.
        environ : mapping, optional
            Holds `USERNAME_VARIABLE`, and `PASSWORD_VARIABLE` or `PASSWORD_FILE_VARIABLE`, which stand in
            for what the URI does not say; the process's environment by default.

        Raises
        ------
        UsageError
            If it is none, or the file of the password cannot be read. The message never contains what could
            be a password.
        """
        environ = os.environ if environ is None else environ
        parts = _split(uri)
        tls = parts.scheme == "mqtts"
        port = parts.port or (TLS_PORT if tls else PORT)
        if port == TLS_PORT and not tls:
            log.warning("Port %d is usually encrypted, but mqtt:// is not: write mqtts:// if so.", port)
        options = _options(parts)
        return cls(
            host=parts.hostname or "",
            port=port,
            base=_base(parts.path),
            tls=tls,
            cafile=options.get("cafile"),
            certfile=options.get("certfile"),
            keyfile=options.get("keyfile"),
            insecure=_boolean(options.get("insecure", "0")),
            username=unquote(parts.username) if parts.username else environ.get(USERNAME_VARIABLE),
            password=unquote(parts.password) if parts.password else _password(environ),
        )


def _password(environ: Mapping[str, str]) -> str | None:
    """Return the password that the environment holds, or the file that it names."""
    given, path = environ.get(PASSWORD_VARIABLE), environ.get(PASSWORD_FILE_VARIABLE)
    if given or not path:
        return given
    try:
        return read_secret(path).get_secret_value()
    except ValueError as error:
        raise UsageError(f"The variable {PASSWORD_FILE_VARIABLE}: {error}.") from None


def redact(uri: str) -> str:
    """Hide whatever could be a user or a password in a URI, however broken it is."""
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://|mqtts?:/*|", uri, re.IGNORECASE)
    shown = scheme[0] if scheme else ""
    rest = uri[len(shown) :]
    hidden = re.sub(r"^.*@", "***@", rest, flags=re.DOTALL)
    if hidden == rest and not re.fullmatch(r"(\[[^\]]*\]|[^:/?#]*)(:\d*)?([/?].*)?", rest):
        hidden = "***"
    return shown + hidden


def _split(uri: str) -> SplitResult:
    try:
        parts = urlsplit(uri)
        known = parts.scheme in ("mqtt", "mqtts") and bool(parts.hostname) and not parts.fragment
        known = known and parts.port != 0
        (parts.hostname or "").encode("idna")
    except ValueError:  # a port that is no number, a torn [IPv6] address, a name that cannot be looked up
        known = False
    if not known:
        raise UsageError(
            f"The broker {redact(uri)!r} cannot be understood: expected "
            "mqtt://[user:password@]host[:port][/base] or mqtts://…, "
            "with / ? # @ in a password written as %2F %3F %23 %40."
        )
    return parts


def _base(path: str) -> str:
    base = unquote(path).strip("/") or BASE
    if re.search(r"[+#\0]|//|^\$", base):
        shown = base.rpartition("@")[2] if "@" in base else base  # a URI with a slash too many
        raise UsageError(
            f"The topic base {shown!r} cannot be used: leave out + and #, empty levels, and a $ in front."
        )
    return base


def _options(parts: SplitResult) -> dict[str, str]:
    options = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    allowed = {*_PATHS, "insecure"} if parts.scheme == "mqtts" else set()
    unknown = sorted(options.keys() - allowed)
    if unknown:
        raise UsageError(
            f"The option {unknown[0].rpartition('@')[2]!r} does not belong in an {parts.scheme}:// URI: "
            "mqtts:// takes cafile=PATH, certfile=PATH, keyfile=PATH and insecure=1, mqtt:// takes none."
        )
    empty = next((name for name in _PATHS if options.get(name) == ""), None)
    if empty:
        raise UsageError(f"The option {empty!r} names no file: write {empty}=PATH, a file in PEM format.")
    if "keyfile" in options and "certfile" not in options:
        raise UsageError("The option 'keyfile' needs its certificate: add certfile=PATH.")
    return options


def _boolean(text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise UsageError(f"The option insecure={text!r} is neither yes nor no: write insecure=1 or nothing.")
    return _BOOLEANS[text.lower()]
