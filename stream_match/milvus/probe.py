"""Whether a server answers all that engines ask of an index; and if not, whether it is still starting."""

from contextlib import suppress
from dataclasses import dataclass

from stream_match.milvus.connection import Connection
from stream_match.milvus.failures import MilvusError
from stream_match.milvus.layout import (
    BLOCK_KEY,
    BLOCKS,
    CODE,
    CODES,
    DATA,
    SHINGLE,
    SHINGLE_WIDTH,
    SHINGLES,
    STEPS,
    Collections,
)

PATIENT_S = 30.0
"""Time for an answer where nobody plays on meanwhile."""


@dataclass(frozen=True)
class Probe:
    """Asks for a bit of everything that engines ask for.

    A server that was killed knows its collections again long before it has loaded them, and it loads each on
    its own: it is back when all of them answer.

    Parameters
    ----------
    collections : Collections
    code_bytes : int
        Of a code.
    fewest : int
        Neighbours that any code has: fewer are found while the server is loading.
    with_versions : bool
        Whether there is the part for versions.
    """

    collections: Collections
    code_bytes: int
    fewest: int
    with_versions: bool

    def __call__(self, connection: Connection, within_s: float = PATIENT_S, *, strong: bool = False) -> None:
        """Ask.

        Parameters
        ----------
        connection : Connection
        within_s : float [seconds]
            Time for each answer.
        strong : bool
            Whether what has just been written must be seen.

        Raises
        ------
        MilvusError
            If the server does not answer, lacks a collection, or has not loaded one yet.
        """
        kinds = [CODES, BLOCKS, *((SHINGLES, STEPS) if self.with_versions else ())]
        for kind in kinds:
            name = self.collections.of(kind)
            # A server that is starting is asked about no collection before it knows which ones it has.
            if connection.describe(name, timeout_s=within_s) is None:
                raise MilvusError(
                    f"the Milvus server {connection.server} has no collection {name!r}: push the index again",
                    away=False,
                )
            try:
                self._ask(connection, kind, within_s, strong=strong)
            except MilvusError as error:
                starting = None if error.away else _still_loading(connection, name, within_s)
                if starting is None:
                    raise
                raise starting from error

    def _ask(self, connection: Connection, kind: str, within_s: float, *, strong: bool) -> None:
        name = self.collections.of(kind)
        if kind == CODES:
            nothing = bytes(self.code_bytes)
            ((keys, _),) = connection.search(
                name, CODE, [nothing], max(1, self.fewest), "HAMMING", strong=strong, timeout_s=within_s
            )
            if len(keys) < self.fewest:
                raise MilvusError(
                    f"the Milvus server {connection.server} finds {len(keys)} neighbours in {name}, expected "
                    f"{self.fewest}: it is starting, or a part is lost",
                    away=False,
                )
        elif kind == SHINGLES:
            flat = [0.0] * SHINGLE_WIDTH
            connection.search(name, SHINGLE, [flat], 1, "IP", strong=strong, timeout_s=within_s)
        else:
            connection.get(name, BLOCK_KEY, [0], [DATA], strong=strong, timeout_s=within_s)


def _still_loading(connection: Connection, name: str, within_s: float) -> MilvusError | None:
    """Return what to say of a collection that does not answer because the server is loading it."""
    with suppress(MilvusError):
        percent = connection.loading(name, timeout_s=within_s)
        if percent is not None:
            return MilvusError(
                f"the Milvus server {connection.server} is starting: it has loaded {percent} % of {name!r}",
                away=True,
            )
    return None
