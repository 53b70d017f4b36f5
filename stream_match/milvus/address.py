"""Where a Milvus server is, how to enter, and which index there: the ``milvus:`` and ``milvuss:`` URIs."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from stream_match.config.secret_files import read_secret
from stream_match.errors import UsageError
from stream_match.milvus.layout import checked_name

PORT = 19530

TOKEN_VARIABLE = "STREAM_MATCH_MILVUS_TOKEN"  # noqa: S105  (the name of the variable, not a token)
TOKEN_FILE_VARIABLE = f"{TOKEN_VARIABLE}_FILE"

_SCHEMES = ("milvus", "milvuss")
_OPTIONS = ("cafile", "certfile", "keyfile")


@dataclass(frozen=True)
class MilvusAddress:
    """An index on a Milvus server.

    Parameters
    ----------
    host, port
        Where it listens.
    name
        Of the index.
    tls, cafile
        Whether to encrypt; a file of trusted certificates instead of the system's.
    certfile, keyfile
        The client's own certificate and its key, for servers that ask for one.
    token
        ``user:password``, or a key of an API. Kept out of `repr` and `uri`.
    """

    host: str
    name: str
    port: int = PORT
    tls: bool = False
    cafile: str | None = None
    certfile: str | None = None
    keyfile: str | None = None
    token: str | None = field(default=None, repr=False)

    @property
    def server(self) -> str:
        """Host and port, fit for messages."""
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @property
    def uri(self) -> str:
        """The URI without secrets, fit for logs."""
        return f"{_SCHEMES[self.tls]}://{self.server}/{self.name}"

    @classmethod
    def parse(cls, uri: str, environ: Mapping[str, str] | None = None) -> Self:
        """Understand ``milvus[s]://[user:password@]host[:port]/name[?OPTIONS]``.

        The options of ``milvuss:`` are ``cafile=PATH``, ``certfile=PATH`` and ``keyfile=PATH``, joined with
        ``&``.

        Parameters
        ----------
        uri : str
            User and password may be percent-encoded.
        environ : mapping, optional
            Holds `TOKEN_VARIABLE` or `TOKEN_FILE_VARIABLE`, which stand in for user and password; the
            process's environment by default.

        Raises
        ------
        UsageError
            If it is none, or the file of the token cannot be read. The message never contains a secret.
        """
        parts = _split(uri)
        options = _options(parts)
        return cls(
            host=parts.hostname or "",
            name=checked_name(unquote(parts.path).strip("/")),
            port=parts.port or PORT,
            tls=parts.scheme == _SCHEMES[True],
            cafile=options.get("cafile"),
            certfile=options.get("certfile"),
            keyfile=options.get("keyfile"),
            token=_credentials(parts) or _token(os.environ if environ is None else environ),
        )


def is_milvus(text: str) -> bool:
    """Return whether a text is meant as a URI of an index on Milvus, and not as a folder."""
    return re.match(r"milvuss?:", text, re.IGNORECASE) is not None


def _credentials(parts: SplitResult) -> str | None:
    if not parts.username:
        return None
    return f"{unquote(parts.username)}:{unquote(parts.password or '')}"


def _token(environ: Mapping[str, str]) -> str | None:
    given, path = environ.get(TOKEN_VARIABLE), environ.get(TOKEN_FILE_VARIABLE)
    if given or not path:
        return given
    try:
        return read_secret(path).get_secret_value()
    except ValueError as error:
        raise UsageError(f"The variable {TOKEN_FILE_VARIABLE}: {error}.") from None


def _split(uri: str) -> SplitResult:
    try:
        parts = urlsplit(uri)
        known = parts.scheme in _SCHEMES and bool(parts.hostname) and not parts.fragment
        known = known and parts.port != 0 and bool(parts.path.strip("/"))
        (parts.hostname or "").encode("idna")
    except ValueError:  # a port that is no number, a torn [IPv6] address, a name that cannot be looked up
        known = False
    if not known:
        raise UsageError(
            f"the address {redacted(uri)!r} cannot be understood: expected milvus://HOST[:PORT]/NAME or "
            "milvuss://…, with / ? # @ in a password written as %2F %3F %23 %40"
        )
    return parts


def redacted(uri: str) -> str:
    """Hide whatever could be a user or a password in a URI, however broken it is."""
    scheme, colon, rest = uri.partition(":")
    if "@" in rest:
        return f"{scheme}{colon}//***@{rest.rpartition('@')[2]}"
    return uri


def _options(parts: SplitResult) -> dict[str, str]:
    options = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    allowed = _OPTIONS if parts.scheme == _SCHEMES[True] else ()
    unknown = sorted(options.keys() - set(allowed))
    if unknown:
        raise UsageError(
            f"the option {unknown[0]!r} does not belong in a {parts.scheme}:// address: milvuss:// takes "
            "cafile=PATH, certfile=PATH and keyfile=PATH, milvus:// takes none"
        )
    empty = next((name for name in _OPTIONS if options.get(name) == ""), None)
    if empty:
        raise UsageError(f"the option {empty!r} names no file: write {empty}=PATH, a file in PEM format")
    if ("keyfile" in options) != ("certfile" in options):
        raise UsageError("the options 'certfile' and 'keyfile' need each other: give both or none")
    return options
