"""Encryption of a connection to a broker."""

import ssl

from stream_match.publish.address import Address
from stream_match.publish.policy import AwayError

ANSWER_S = 3.0
"""A broker that does not answer within this is treated as gone."""


def tls_context(address: Address) -> ssl.SSLContext | None:
    """Return how to encrypt; None for no encryption.

    Parameters
    ----------
    address : Address
        Names the files of certificates.

    Raises
    ------
    AwayError
        If a file of certificates or the key cannot be used. A certificate may be renewed while we run.
    """
    if not address.tls:
        return None
    context = _trusting(address.cafile)
    if address.certfile:
        _identify(context, address.certfile, address.keyfile)
    context.sslsocket_class = TlsSocket
    if address.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _trusting(cafile: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=cafile)
    except OSError as error:  # ssl.SSLError is one too
        raise AwayError(
            "certificates",
            f"The certificates in cafile={cafile!r} cannot be used ({_why(error)}): give a PEM file.",
        ) from None


def _identify(context: ssl.SSLContext, certfile: str, keyfile: str | None) -> None:
    try:
        # Without a password OpenSSL would ask for one on the terminal, and wait.
        context.load_cert_chain(certfile, keyfile, password="")
    except OSError as error:
        key = f"keyfile={keyfile!r}" if keyfile else "the key in the same file"
        raise AwayError(
            "certificates",
            f"The client certificate certfile={certfile!r} with {key} cannot be used ({_why(error)}): "
            "give PEM files that belong together, the key without a passphrase.",
        ) from None


def _why(error: OSError) -> str:
    return getattr(error, "reason", None) or error.strerror or type(error).__name__


_CLOCK = "check the clock of this computer, or have the certificate renewed"
_NAME = "write the host as its certificate names it"
_REMEDIES = {9: _CLOCK, 10: _CLOCK, 62: _NAME, 64: _NAME}
"""What helps, by OpenSSL's code for why a certificate is not accepted; for all others, an authority."""


class TlsSocket(ssl.SSLSocket):
    """A socket that does what paho leaves to chance.

    A handshake ends in time, and closes the socket when it fails. The broker's last alert is kept in
    `alert`: with TLS 1.3 a broker says only after the handshake that it wants a client certificate.
    """

    alert: ssl.SSLError | None = None

    def do_handshake(self, block: bool = False) -> None:
        """Shake hands, for `ANSWER_S` at most."""
        self.settimeout(ANSWER_S)
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """Receive, and remember an alert."""
        try:
            return super().recv(buflen, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            self.alert = error
            raise


def tls_trouble(error: ssl.SSLError) -> str:
    """Return what is wrong, as the end of a sentence that begins with "The broker".

    Parameters
    ----------
    error : ssl.SSLError
        As it came from the handshake or from an alert.
    """
    reason = error.reason or str(error)
    if "ALERT" in reason and ("CERTIFICATE" in reason or "HANDSHAKE" in reason or "UNKNOWN_CA" in reason):
        return f"does not accept our client certificate ({reason}): check certfile=PATH and keyfile=PATH"
    if isinstance(error, ssl.SSLCertVerificationError):
        remedy = _REMEDIES.get(error.verify_code, "name its certificate authority with cafile=PATH")
        said = f"has no encryption to be trusted ({error.verify_message})"
        return f"{said}: {remedy}; insecure=1 accepts any certificate"
    return f"has no encryption to be trusted ({reason}): check the port; mqtt:// is without encryption"
