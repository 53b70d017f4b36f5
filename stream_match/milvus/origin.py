"""An index on a Milvus server as something to listen with: newer generations, and the server's going away."""

import contextlib
from functools import partial
from pathlib import Path

from stream_match.index.catalogue import Catalogue
from stream_match.index.port import NotAtHandError
from stream_match.milvus.address import MilvusAddress
from stream_match.milvus.connection import Connection
from stream_match.milvus.failures import MilvusError
from stream_match.milvus.opening import Known, Opened, cache_folder
from stream_match.milvus.outage import OPEN_S, MayBeAway, Patient
from stream_match.milvus.probe import Probe
from stream_match.milvus.tables import Generation, current, required


def load_remote(address: MilvusAddress, folder: Path | None = None) -> Catalogue:
    """Open an index on a Milvus server for who cannot go on without answers, such as ``identify``.

    Parameters
    ----------
    address : MilvusAddress
    folder : Path, optional
        Where its tables are kept; below the user's cache by default.

    Returns
    -------
    Catalogue
        What is asked of it raises a CatalogError if the server does not answer.

    Raises
    ------
    CatalogError
        If there is none, or it is not whole, or needs another program; or the server does not answer.
    """
    connection = Connection.open(address)
    try:
        generation = required(connection, address.name)
        opened = Opened(connection, Patient(connection), generation, folder or cache_folder(connection), {})
    except BaseException:
        connection.close()
        raise
    return opened.catalogue


class MilvusOrigin:
    """An index on a Milvus server, of which the newest generation is listened with.

    Parameters
    ----------
    address : MilvusAddress
    folder : Path, optional
        Where its tables are kept; below the user's cache by default.

    Raises
    ------
    CatalogError
        If the server does not answer, or cannot be worked with.
    """

    def __init__(self, address: MilvusAddress, folder: Path | None = None) -> None:
        self.name = address.uri
        self._index = address.name
        connection = Connection.open(address)
        self._server = MayBeAway(connection, partial(Connection.open, address, timeout_s=OPEN_S))
        self._folder = folder or cache_folder(connection)
        self._known: Known = {}
        self._mark: Generation | None = None

    @property
    def away(self) -> str | None:
        """Why nothing new is recognised; None if that is not so."""
        return self._server.away

    def mark(self) -> Generation | None:
        """Return the generation that the server has; while that is away, what it had when it was last asked.

        Whoever calls this now and then finds the server as soon as it is back.

        Raises
        ------
        CatalogError
            If the name belongs to something else now.
        """
        if self._server.look():
            with contextlib.suppress(NotAtHandError):
                self._mark = self._server.ask(lambda connection, _: current(connection, self._index))
        return self._mark

    def generation(self) -> int | None:
        """Return the number of the generation that was found last."""
        return None if self._mark is None else self._mark.number

    def load(self) -> Catalogue:
        """Open the generation that was found last.

        Raises
        ------
        CatalogError
            If there is none, or it is not whole, or needs another program; or the server does not answer.
        """
        connection = self._server.connection
        generation = required(connection, self._index)
        opened = Opened(connection, self._server, generation, self._folder, self._known)
        self._server.probe = partial(self._look_for, opened.probe)
        return opened.catalogue

    def _look_for(self, probe: Probe, connection: Connection, within_s: float) -> None:
        """Probe what is listened with; if it is gone, take note of what was pushed in its place."""
        try:
            probe(connection, within_s)
        except MilvusError as error:
            if not error.away:
                self._mark = current(connection, self._index) or self._mark
            raise
