"""What a playlist of HLS names, fetched for FFmpeg by our own client: playlists, keys, segments."""

import errno
import logging
from collections.abc import Mapping

from stream_match.capture.playlist import HEAD_BYTES, MAX_BYTES, kind_of, plain_hls
from stream_match.capture.web import FAULTS, Body, Web
from stream_match.errors import install_command

log = logging.getLogger(__name__)

ENCRYPTED = "crypto+"  # FFmpeg's mark of an address whose content has to be decrypted


class Segments:
    """Opens what FFmpeg asks for while it reads a playlist of HLS.

    Nothing here raises: a segment that cannot be read is one that is empty, and FFmpeg goes on with the next.

    Parameters
    ----------
    web : Web
        Opens ``http`` and ``https``, and nothing else.
    shown : str
        The source as messages name it, without secrets.
    """

    def __init__(self, web: Web, shown: str) -> None:
        self.fault: Exception | None = None  # the last one of all
        self.fault_now: Exception | None = None  # of the last part that was asked for
        self._web = web
        self._shown = shown

    def open(self, address: str, options: Mapping[str, str]) -> "Part":
        """Fetch a playlist, a key or a segment.

        Parameters
        ----------
        address : str
            As FFmpeg composed it of the playlist.
        options : mapping of str to str
            FFmpeg's: ``offset`` and ``end_offset`` [bytes], ``key`` and ``iv`` in hexadecimal digits.

        Returns
        -------
        Part
            Empty if it cannot be fetched.
        """
        part = Part(self)
        self.fault_now = None
        try:
            part.begin(self._web, address, options)
        except FAULTS as error:
            self.note(error)
        return part

    def note(self, error: Exception) -> None:
        """Keep a fault for the message, in case nothing better follows."""
        self.fault = self.fault_now = error
        log.debug("%s: a part cannot be read (%s)", self._shown, type(error).__name__)


class Part:
    """A file as FFmpeg reads it, from its beginning to its end.

    Parameters
    ----------
    segments : Segments
        Is told of a fault.
    """

    def __init__(self, segments: Segments) -> None:
        self._segments = segments
        self._body: Body | None = None
        self._left: int | None = None
        self._decryption: Decryption | None = None
        self._ready = b""

    def begin(self, web: Web, address: str, options: Mapping[str, str]) -> None:
        """Connect, and go to where the part begins."""
        if address.startswith(ENCRYPTED):
            address = address.removeprefix(ENCRYPTED)
            self._decryption = Decryption(*(bytes.fromhex(options.get(name, "")) for name in ("key", "iv")))
        first, end = int(options.get("offset", 0)), int(options.get("end_offset", 0))
        wanted = {"Range": f"bytes={first}-{end - 1 if end else ''}"} if first or end else {}
        self._body = body = web.open(address, wanted)
        self._left = end - first if end else None
        if not body.partial:
            _skip(body, first)
        if kind_of(body.peek(HEAD_BYTES), "", "") == "m3u":
            self._ready = plain_hls(body.peek(MAX_BYTES))
            self._left = 0

    def read(self, n: int) -> bytes:
        """Return up to `n` bytes, none at the end or at a fault."""
        try:
            while not self._ready and self._receive(n):
                pass
        except FAULTS as error:
            self._segments.note(error)
            self._left = 0
        data, self._ready = self._ready[:n], self._ready[n:]
        return data

    def close(self) -> None:
        """Give up the connection."""
        if self._body is not None:
            self._body.close()

    def _receive(self, n: int) -> bool:
        """Take in what comes next; return whether there was something."""
        data = b"" if self._body is None else self._body.read(n if self._left is None else min(n, self._left))
        self._left = None if self._left is None else self._left - len(data)
        self._ready = data if self._decryption is None else self._decryption.feed(data)
        if not data and self._decryption is not None:
            self._ready, self._decryption = self._decryption.finish(), None
        return bool(data)


class Decryption:
    """AES-128-CBC with the padding of PKCS #7, as segments of HLS may be encrypted.

    FFmpeg's own decryption would fetch the segments by itself.

    Parameters
    ----------
    key, iv : bytes
        16 each.

    Raises
    ------
    OSError
        If the package cryptography is not installed.
    """

    def __init__(self, key: bytes, iv: bytes) -> None:
        try:
            from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
            from cryptography.hazmat.primitives.padding import PKCS7
        except ImportError:
            said = f"it is encrypted, which needs cryptography: {install_command('stream')}"
            raise OSError(errno.ENOPKG, said) from None
        self._cipher = Cipher(algorithms.AES128(key), modes.CBC(iv)).decryptor()
        self._padding = PKCS7(algorithms.AES128.block_size).unpadder()

    def feed(self, data: bytes) -> bytes:
        """Decrypt what comes next; the last block waits, because it holds the padding."""
        return self._padding.update(self._cipher.update(data))

    def finish(self) -> bytes:
        """Return what waited, without the padding.

        Raises
        ------
        ValueError
            If it is not whole, or was encrypted with another key.
        """
        return self._padding.update(self._cipher.finalize()) + self._padding.finalize()


def _skip(body: Body, n: int) -> None:
    """Read over the beginning, for servers that send all where a part was asked for."""
    while n and (data := body.read(min(n, 1 << 16))):
        n -= len(data)
