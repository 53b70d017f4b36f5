"""What is received, as a file that FFmpeg reads."""

from typing import Protocol

from stream_match.capture.web import FAULTS, Body, Web


class Received(Protocol):
    """Bytes from the network."""

    def read(self, n: int, /) -> bytes:
        """Return up to `n` bytes, none at the end; raise one of `FAULTS` if the connection breaks."""


class Feed:
    """A file that can only be read on; a fault is its end, and is kept to be told.

    FFmpeg would print a trace of an error that is raised while it handles another one.

    Parameters
    ----------
    received : Received
    """

    def __init__(self, received: Received) -> None:
        self.fault: Exception | None = None
        self._received = received

    def read(self, n: int) -> bytes:
        """Return up to `n` bytes, none at the end or at a fault."""
        if self.fault is not None:
            return b""
        try:
            return self._received.read(n)
        except FAULTS as error:
            self.fault = error
            return b""


class WebFile:
    """A file on a web server; parts of it are asked for where the server sends parts.

    Parameters
    ----------
    web : Web
        Opens it anew.
    body : Body
        Its beginning; closed by the caller.
    """

    def __init__(self, web: Web, body: Body) -> None:
        self._web = web
        self._first = self._body = body
        self._size = body.size or 0
        self._divisible = body.size is not None and body.headers.get("Accept-Ranges", "").strip() == "bytes"
        self._at = 0  # of the connection
        self._wanted = 0

    def seekable(self) -> bool:
        """Say whether the server sends parts."""
        return self._divisible

    def tell(self) -> int:
        """Return the place [bytes] that is read next."""
        return self._wanted

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place; the server is asked when it is read."""
        base = (0, self._wanted, self._size)[whence]
        self._wanted = max(0, base + offset)
        return self._wanted

    def read(self, n: int) -> bytes:
        """Return up to `n` bytes, none at the end.

        Raises
        ------
        OSError, http.client.HTTPException or ValueError
            `FAULTS`.
        """
        if self._wanted != self._at:
            if self._wanted >= self._size:
                return b""
            self._go()
        data = self._body.read(n)
        self._at += len(data)
        self._wanted = self._at
        return data

    def close(self) -> None:
        """Give up the connection."""
        self._body.close()

    def _go(self) -> None:
        self._body.close()
        self._body = self._web.open(self._first.url, {"Range": f"bytes={self._wanted}-"})
        if not self._body.partial:
            msg = "the server does not send the part that was asked for"
            raise ConnectionError(msg)
        self._at = self._wanted


class SeekableFeed(Feed):
    """A `Feed` of a file in which FFmpeg may move about.

    Parameters
    ----------
    file : WebFile
    """

    def __init__(self, file: WebFile) -> None:
        super().__init__(file)
        self.seekable = file.seekable
        self.seek = file.seek
        self.tell = file.tell
