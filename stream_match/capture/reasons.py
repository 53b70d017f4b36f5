"""Why a web address cannot be heard, in words: without the address, and without what the server says."""

import http.client
import socket
import ssl
import traceback
import urllib.error

from stream_match.capture.address import AddressError
from stream_match.capture.playlist import PlaylistError


def reason_of(error: Exception, *, silence_s: float) -> str:
    """Finish a sentence that begins with the address of a source.

    Parameters
    ----------
    error : Exception
        Anything that opening, reading or decoding raised. Its text is not used where it may hold an address.
    silence_s : float [seconds]
        After how long a server counts as silent.

    Returns
    -------
    str
        Such as ``refuses the connection``.
    """
    import av

    if isinstance(error, urllib.error.HTTPError):
        return _status(error.code)
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, Exception):
        error = error.reason
    if isinstance(error, av.error.ExitError | TimeoutError):
        return f"has sent nothing for {silence_s:g} s"
    return next((told for kind, told in _TOLD if isinstance(error, kind)), None) or _other(error)


_TOLD: tuple[tuple[type[Exception], str], ...] = (
    (ConnectionRefusedError, "refuses the connection; is the server running, and the port right?"),
    (socket.gaierror, "cannot be found: its host name is not known"),
    (http.client.HTTPException, "answers with what is no HTTP"),
)


def _status(code: int) -> str:
    told = f"answers with status {code} ({http.client.responses.get(code, 'unknown')})"
    if code == http.client.UNAUTHORIZED:
        return f"{told}; are username and password of the source right?"
    return told


def _other(error: Exception) -> str:
    import av

    if isinstance(error, ssl.SSLCertVerificationError):
        return f"shows a certificate that is not trusted ({error.verify_message})"
    if isinstance(error, PlaylistError | AddressError):
        return str(error)
    if isinstance(error, urllib.error.URLError):
        return str(error.reason)
    if isinstance(error, av.error.EOFError):
        return "ended before there was any audio"
    if isinstance(error, av.error.InvalidDataError | av.error.ArgumentError):
        return "sends nothing that can be read as audio"
    if isinstance(error, OSError):
        return f"broke off ({error.strerror or type(error).__name__})"
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"broke ({type(error).__name__} in line {place.lineno} of {place.name})"
