"""Addresses of the web as the wire takes them: ASCII, without user and password, of one origin or another."""

from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit, urlunsplit

_PORTS = {"http": 80, "https": 443, "rtsp": 554, "rtsps": 322}
_SAFE = "!#$%&'()*+,/:;=?@[]~"  # what stands in addresses as it is; % because it may be quoted already


class AddressError(ValueError):
    """An address that is none of the web."""


def ascii_url(url: str) -> str:
    """Write an address as servers expect it.

    Parameters
    ----------
    url : str
        May have letters beyond ASCII: those of the host become IDNA, all others are percent-encoded.
        User and password are kept.

    Returns
    -------
    str
        ASCII without spaces, control characters or a fragment.

    Raises
    ------
    AddressError
        If the host is not one, or the port is not a number from 1 to 65535.
    """
    try:
        parts = urlsplit(url.strip())
        known = bool(parts.hostname) and parts.port != 0
        host = _ascii_host(parts) if known else ""
    except ValueError:  # its text shows the address
        known = False
    if not known:
        msg = "leads to an address that is not of the web"
        raise AddressError(msg) from None
    user, at, _ = parts.netloc.rpartition("@")
    netloc = f"{_quoted(user)}{at}{host}"
    return urlunsplit((parts.scheme.lower(), netloc, _quoted(parts.path), _quoted(parts.query), ""))


def split_credentials(url: str) -> tuple[str, tuple[str, str] | None]:
    """Take user and password out of an address.

    Parameters
    ----------
    url : str
        As `ascii_url` makes it.

    Returns
    -------
    bare : str
        The address without them.
    credentials : (str, str) or None
        User and password, decoded; None if there are none.
    """
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    bare = urlunsplit(parts._replace(netloc=host))
    if not at:
        return bare, None
    name, _, password = user.partition(":")
    return bare, (unquote(name), unquote(password))


def with_credentials(url: str, credentials: tuple[str, str]) -> str:
    """Put user and password into an address, in the place of any that are there.

    Parameters
    ----------
    url : str
        As `ascii_url` makes it.
    credentials : (str, str)
        User and password.

    Returns
    -------
    str
    """
    parts = urlsplit(url)
    user, password = (quote(text, safe="") for text in credentials)
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{parts.netloc.rpartition('@')[2]}"))


def absolute(base: str, reference: str) -> str:
    """Find what an address means that stands in a document.

    Parameters
    ----------
    base : str
        Address of the document.
    reference : str
        Absolute or relative address in it.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If it is no address.
    """
    return urljoin(base, reference.strip())


def same_server(url: str, other: str) -> bool:
    """Say whether what one address may be told may be told to another, too.

    Parameters
    ----------
    url : str
        Address that secrets are meant for.
    other : str
        Address that they may go to.

    Returns
    -------
    bool
        True if scheme, host and port are the same, or if only ``http`` became ``https`` on the usual ports.
    """
    ours, theirs = _origin(url), _origin(other)
    return theirs in (ours, ("https", ours[1], 443) if ours[::2] == ("http", 80) else ours)


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    return scheme, (parts.hostname or "").rstrip("."), parts.port or _PORTS.get(scheme, 0)


def _quoted(text: str) -> str:
    return quote(text, safe=_SAFE, errors="surrogateescape")


def _ascii_host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    shown = host if host.isascii() else host.encode("idna").decode("ascii")
    if not shown.isascii() or any(letter <= " " or letter in '\x7f"<>\\^`{|}%' for letter in shown):
        msg = "letters that no host has"
        raise ValueError(msg)
    return shown if parts.port is None else f"{shown}:{parts.port}"
