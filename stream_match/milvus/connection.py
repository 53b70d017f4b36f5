"""The connection to a Milvus server: what the client can, with errors of ours."""

import logging
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from stream_match.errors import CatalogError, install_command
from stream_match.milvus.address import MilvusAddress
from stream_match.milvus.failures import MilvusError, is_not_found, retried, told
from stream_match.milvus.reads import Found, Row, can_read, query, search

if TYPE_CHECKING:
    from pymilvus import MilvusClient

log = logging.getLogger(__name__)

T = TypeVar("T")

OLDEST_VERSION, BEYOND_VERSION = (2, 3), (3, 0)
"""Versions of the server that are known to work, and the first that is not."""

OPEN_S = 10.0
ANSWER_S = 10.0
"""A server that does not answer within this is treated as away."""

WRITE_S = 60.0
"""Time to take a portion of rows."""

PATIENCE_S = 120.0
"""A server that goes away while rows are written or counted is waited for so long: it may have been started
anew."""

_PAUSE_S = 5.0
_POLL_S = 0.2

_CHANNEL = {"grpc.use_local_subchannel_pool": 1, "grpc.max_reconnect_backoff_ms": int(1000 * _PAUSE_S)}
"""A channel waits longer after each failure, up to two minutes, and all to one server would share that wait:
a new connection would fail at once because an old one had."""

WORK_S = 600.0
"""Time for what grows with the index: to store a collection, to load it, to make its indexes."""


@dataclass(frozen=True)
class Described:
    """A collection, as the server describes it.

    Parameters
    ----------
    name : str
        Its own name, whatever alias it was found by.
    description : str
    aliases : tuple of str
    """

    name: str
    description: str
    aliases: tuple[str, ...]


@dataclass(frozen=True)
class Field:
    """A field of a collection; the first one is the key.

    Parameters
    ----------
    name : str
    type : str
        As the server calls it: INT64, INT32, VARCHAR, BINARY_VECTOR or FLOAT_VECTOR.
    size : int
        Bits of a binary vector, numbers of a float vector, longest text; 0 for numbers.
    """

    name: str
    type: str
    size: int = 0


class Connection:
    """A server that answers; may be used from several threads.

    Parameters
    ----------
    address : MilvusAddress
    client : MilvusClient
    version : str
        Of the server.
    """

    def __init__(self, address: MilvusAddress, client: "MilvusClient", version: str) -> None:
        self.address = address
        self.version = version
        self._client = client
        self._closing = threading.Lock()

    @classmethod
    def open(cls, address: MilvusAddress, *, timeout_s: float = OPEN_S) -> Self:
        """Connect, and look whether the server can be worked with.

        Parameters
        ----------
        address : MilvusAddress
        timeout_s : float

        Raises
        ------
        MilvusError
            If it cannot be reached, refuses the token, or has another version.
        CatalogError
            If the client is not installed.
        """
        client_class = _client_class()
        with told(address, "does not answer"):
            client = client_class(
                f"{'https' if address.tls else 'http'}://{address.server}",
                token=address.token or "",
                timeout=timeout_s,
                dedicated=True,
                grpc_options=_CHANNEL,
                **_certificates(address),
            )
            try:
                version = str(client.get_server_version(timeout=timeout_s))
                client.list_collections(timeout=timeout_s)  # a version is told to everybody
                _require_known(client)
            except BaseException:
                client.close()
                raise
        _require_version(version, address)
        return cls(address, client, version)

    def __enter__(self) -> Self:
        """Return the connection."""
        return self

    def __exit__(self, *raised: object) -> None:
        """Close it."""
        self.close()

    @property
    def server(self) -> str:
        """Host and port, fit for messages."""
        return self.address.server

    def close(self) -> None:
        """Close the connection; it cannot be used any more."""
        with self._closing:
            self._client.close()

    def collections(self) -> list[str]:
        """Return the names of all collections."""
        with told(self.address, "cannot list its collections"):
            return sorted(self._client.list_collections(timeout=ANSWER_S))

    def describe(self, name: str, *, timeout_s: float = ANSWER_S) -> Described | None:
        """Return a collection, by its name or its alias; None if there is none."""
        with told(self.address, f"cannot describe {name!r}"):
            try:
                found = self._client.describe_collection(name, timeout=timeout_s)
            except Exception as error:
                if is_not_found(error):
                    return None
                raise
        return Described(found["collection_name"], found["description"], tuple(found["aliases"]))

    def create(self, name: str, fields: Sequence[Field], description: str = "") -> None:
        """Make a collection; its first field is the key."""
        from pymilvus import DataType, MilvusClient

        schema = MilvusClient.create_schema(
            auto_id=False, enable_dynamic_field=False, description=description
        )
        for field in fields:
            kind = DataType[field.type]
            size = {"max_length" if field.type == "VARCHAR" else "dim": field.size} if field.size else {}
            schema.add_field(field.name, kind, is_primary=field is fields[0], **size)
        with told(self.address, f"cannot make the collection {name!r}"):
            self._client.create_collection(name, schema=schema, timeout=ANSWER_S, consistency_level="Bounded")

    def drop(self, name: str) -> None:
        """Delete a collection, if it is there."""
        with told(self.address, f"cannot delete the collection {name!r}"):
            try:
                self._client.drop_collection(name, timeout=ANSWER_S)
            except Exception as error:
                if not is_not_found(error):
                    raise

    def index(self, name: str, field: str, index_type: str, metric: str, **params: int) -> None:
        """Say how a field of vectors is searched; the server makes the index by and by."""
        wanted = self._client.prepare_index_params()
        wanted.add_index(field, index_type=index_type, metric_type=metric, params=params)
        with told(self.address, f"cannot make an index of {name!r}"):
            self._client.create_index(name, wanted, timeout=WORK_S)

    def await_index(self, name: str) -> None:
        """Wait until all rows that are stored can be searched by the indexes of a collection."""
        until = time.monotonic() + WORK_S
        with told(self.address, f"cannot make the indexes of {name!r}"):
            while any(self._rows_without(name, index) for index in self._client.list_indexes(name)):
                if time.monotonic() > until:
                    raise TimeoutError(f"they are not made after {WORK_S:.0f} s")
                time.sleep(_POLL_S)

    def _rows_without(self, name: str, index: str) -> int:
        found = self._client.describe_index(name, index, timeout=ANSWER_S)
        return int(found["pending_index_rows"])

    def load(self, name: str) -> None:
        """Load a collection into the memory of the server, and wait until it can be searched."""
        with told(self.address, f"cannot load the collection {name!r}"):
            self._client.load_collection(name, timeout=WORK_S)

    def loading(self, name: str, *, timeout_s: float = ANSWER_S) -> int | None:
        """Return how much of a collection is loaded, in percent; None if the server is not loading it."""
        with told(self.address, f"cannot tell whether {name!r} is loaded"):
            found = self._client.get_load_state(name, timeout=timeout_s)
        progress = found.get("progress")
        return None if progress is None else int(progress)

    def flush(self, name: str) -> None:
        """Have a collection written to the server's storage, and wait for that."""
        with told(self.address, f"cannot store the collection {name!r}"):
            self._client.flush(name, timeout=WORK_S)

    def insert(self, name: str, rows: list[Row]) -> None:
        """Add rows, whose keys must be new; a server that is away is waited for, see `PATIENCE_S`."""
        self._send(self._client.insert, name, rows)

    def upsert(self, name: str, rows: list[Row]) -> None:
        """Add rows, or put them in the place of those with the same keys; waits as `insert` does."""
        self._send(self._client.upsert, name, rows)

    def _send(self, send: Callable[..., object], name: str, rows: list[Row]) -> None:
        until = time.monotonic() + PATIENCE_S
        sent = False
        while not sent:
            try:
                with told(self.address, f"cannot take rows of {name!r}"):
                    send(name, rows, timeout=WRITE_S)
                sent = True
            except MilvusError as error:
                if not error.away or time.monotonic() > until:
                    raise
                if send != self._client.upsert:
                    log.warning("%s: it is tried again for %.0f s", error, PATIENCE_S)
                send = self._client.upsert  # it may have taken them
                time.sleep(_PAUSE_S)

    def delete(self, name: str, condition: str) -> None:
        """Delete the rows for which a condition holds."""
        with told(self.address, f"cannot delete rows of {name!r}"):
            self._client.delete(name, filter=condition, timeout=WRITE_S)

    def get(
        self,
        name: str,
        key: str,
        keys: Sequence[int] | Sequence[str],
        fields: Sequence[str],
        *,
        strong: bool = True,
        timeout_s: float = ANSWER_S,
    ) -> list[Row]:
        """Return rows by their keys, in any order; those that are not there are left out.

        Parameters
        ----------
        name : str
            Of the collection.
        key : str
            Its first field.
        keys : sequence of int or of str
        fields : sequence of str
            Wanted beside the key. Binary vectors come as bytes.
        strong : bool
            Whether everything that was written before must be seen.
        timeout_s : float
        """
        if not keys:
            return []
        condition = f"{key} in {list(keys)!r}".replace("'", '"')
        ask = partial(query, self._client, name, condition, [key, *fields], strong=strong)
        return self._read(f"cannot read {name!r}", ask, strong=strong, timeout_s=timeout_s)

    def find(self, name: str, condition: str, fields: Sequence[str], *, limit: int) -> list[Row]:
        """Return rows for which a condition holds, in any order."""
        ask = partial(query, self._client, name, condition, fields, limit=limit, strong=True)
        return self._read(f"cannot read {name!r}", ask, strong=True, timeout_s=ANSWER_S)

    def count(self, name: str) -> int:
        """Return the number of rows, with everything that was written before."""
        ask = partial(query, self._client, name, "", ["count(*)"], strong=True)
        rows = self._read(f"cannot count {name!r}", ask, strong=True, timeout_s=PATIENCE_S)
        return sum(int(row["count(*)"]) for row in rows)

    def search(
        self,
        name: str,
        field: str,
        vectors: Sequence[Any],
        k: int,
        metric: str,
        *,
        nprobe: int | None = None,
        strong: bool = False,
        timeout_s: float = ANSWER_S,
    ) -> Found:
        """Return the keys nearest to each vector, and how near they are.

        Parameters
        ----------
        name, field : str
        vectors : sequence of bytes or of sequence of float
        k : int, 1 to 16,384
        metric : str
            HAMMING or IP.
        nprobe : int, optional
            Lists that are searched, if the vectors are in lists.
        strong : bool
            Whether everything that was written before must be seen.
        timeout_s : float
        """
        how = {
            "anns_field": field,
            "topk": k,
            "metric_type": metric,
            "round_decimal": -1,
            "params": {} if nprobe is None else {"nprobe": nprobe},
        }
        ask = partial(search, self._client, name, vectors, how, strong=strong)
        return self._read(f"cannot search {name!r}", ask, strong=strong, timeout_s=timeout_s)

    def _read(self, what: str, ask: Callable[..., T], *, strong: bool, timeout_s: float) -> T:
        """Ask; whoever wants to see all that was written has the time to wait for a server that is away."""

        def once(left_s: float) -> T:
            with told(self.address, what):
                return ask(timeout_s=left_s)

        return retried(once, timeout_s, when=lambda error: error.away if strong else error.busy)

    def set_alias(self, alias: str, name: str, *, new: bool) -> None:
        """Let an alias stand for a collection, in one step."""
        with told(self.address, f"cannot switch the alias {alias!r}"):
            change = self._client.create_alias if new else self._client.alter_alias
            change(name, alias, timeout=ANSWER_S)

    def drop_alias(self, alias: str) -> None:
        """Delete an alias; its collection stays."""
        with told(self.address, f"cannot delete the alias {alias!r}"):
            self._client.drop_alias(alias, timeout=ANSWER_S)


def _client_class() -> "type[MilvusClient]":
    try:
        from pymilvus import MilvusClient
    except ImportError as error:
        raise CatalogError(
            f"an index on Milvus needs pymilvus, which is not installed: {install_command('milvus')}"
        ) from error
    # It logs every failure that it raises, with whatever the server has said.
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL + 1)
    found: type[MilvusClient] = MilvusClient
    return found


def _certificates(address: MilvusAddress) -> Mapping[str, object]:
    if not address.tls:
        return {}
    for name in ("cafile", "certfile", "keyfile"):
        path = getattr(address, name)
        if path and not Path(path).is_file():
            raise MilvusError(
                f"the {name} {path!r} is not there: give the path of a file in PEM format", away=False
            )
    if address.certfile:
        return {
            "secure": True,
            "ca_pem_path": address.cafile or "",
            "client_pem_path": address.certfile,
            "client_key_path": address.keyfile or "",
        }
    return {"secure": True, **({"server_pem_path": address.cafile} if address.cafile else {})}


def _require_known(client: "MilvusClient") -> None:
    if not can_read(client):
        raise CatalogError(f"this release of pymilvus is not known: {install_command('milvus')}")


def _require_version(version: str, address: MilvusAddress) -> None:
    found = re.match(r"v?(\d+)\.(\d+)", version)
    if not found or not OLDEST_VERSION <= (int(found[1]), int(found[2])) < BEYOND_VERSION:
        known = ".".join(map(str, OLDEST_VERSION))
        raise MilvusError(
            f"the Milvus server {address.server} has version {version[:40]!r}, expected {known} or later, "
            f"before {BEYOND_VERSION[0]}: take another server, or another version of stream-match",
            away=False,
        )
