"""The connection to a Milvus server: the one file that knows its client, and what this says when it fails."""

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from stream_match.errors import CatalogError
from stream_match.milvus.address import TOKEN_VARIABLE, MilvusAddress

if TYPE_CHECKING:
    from pymilvus import MilvusClient

log = logging.getLogger(__name__)

Row = dict[str, Any]

OLDEST_VERSION, BEYOND_VERSION = (2, 3), (3, 0)
"""Versions of the server that are known to work, and the first that is not."""

OPEN_S = 10.0
ANSWER_S = 10.0
"""A server that does not answer within this is treated as away."""

WRITE_S = 60.0
"""Time to take a portion of rows."""

PATIENCE_S = 120.0
"""A server that goes away while rows are written is waited for so long: it may have been started anew."""

_PAUSE_S = 5.0
_POLL_S = 0.2

WORK_S = 600.0
"""Time for what grows with the index: to store a collection, to load it, to count its rows."""

_NOT_FOUND = 100
_NOT_FOUND_BEFORE = 4
_AWAY = r"retry (timeout|run out)|fail connecting|not ready yet|timed? ?out"
_REFUSED = ("UNAUTHENTICATED", "PERMISSION_DENIED", "auth check failure")


class MilvusError(CatalogError):
    """A server that is away, or that refuses.

    Parameters
    ----------
    message : str
        One sentence for a person, without secrets.
    away : bool
        Whether asking again may help: it could not be reached, or did not answer in time.
    """

    def __init__(self, message: str, *, away: bool) -> None:
        super().__init__(message)
        self.away = away


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
        with _told(address, "does not answer"):
            client = client_class(
                f"{'https' if address.tls else 'http'}://{address.server}",
                token=address.token or "",
                timeout=timeout_s,
                dedicated=True,
                **_certificates(address),
            )
            try:
                version = str(client.get_server_version(timeout=timeout_s))
                client.list_collections(timeout=timeout_s)  # a version is told to everybody
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
        with _told(self.address, "cannot list its collections"):
            return sorted(self._client.list_collections(timeout=ANSWER_S))

    def describe(self, name: str, *, timeout_s: float = ANSWER_S) -> Described | None:
        """Return a collection, by its name or its alias; None if there is none."""
        with _told(self.address, f"cannot describe {name!r}"):
            try:
                found = self._client.describe_collection(name, timeout=timeout_s)
            except Exception as error:
                if _is_not_found(error):
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
        with _told(self.address, f"cannot make the collection {name!r}"):
            self._client.create_collection(name, schema=schema, timeout=ANSWER_S, consistency_level="Bounded")

    def drop(self, name: str) -> None:
        """Delete a collection, if it is there."""
        with _told(self.address, f"cannot delete the collection {name!r}"):
            try:
                self._client.drop_collection(name, timeout=ANSWER_S)
            except Exception as error:
                if not _is_not_found(error):
                    raise

    def index(self, name: str, field: str, index_type: str, metric: str, **params: int) -> None:
        """Say how a field of vectors is searched; the server makes the index by and by."""
        wanted = self._client.prepare_index_params()
        wanted.add_index(field, index_type=index_type, metric_type=metric, params=params)
        with _told(self.address, f"cannot make an index of {name!r}"):
            self._client.create_index(name, wanted, timeout=WORK_S)

    def await_index(self, name: str) -> None:
        """Wait until all rows that are stored can be searched by the indexes of a collection."""
        until = time.monotonic() + WORK_S
        with _told(self.address, f"cannot make the indexes of {name!r}"):
            while any(self._rows_without(name, index) for index in self._client.list_indexes(name)):
                if time.monotonic() > until:
                    raise TimeoutError
                time.sleep(_POLL_S)

    def _rows_without(self, name: str, index: str) -> int:
        found = self._client.describe_index(name, index, timeout=ANSWER_S)
        return int(found["pending_index_rows"])

    def load(self, name: str) -> None:
        """Load a collection into the memory of the server, and wait until it can be searched."""
        with _told(self.address, f"cannot load the collection {name!r}"):
            self._client.load_collection(name, timeout=WORK_S)

    def loading(self, name: str, *, timeout_s: float = ANSWER_S) -> int | None:
        """Return how much of a collection is loaded, in percent; None if the server is not loading it."""
        with _told(self.address, f"cannot tell whether {name!r} is loaded"):
            found = self._client.get_load_state(name, timeout=timeout_s)
        progress = found.get("progress")
        return None if progress is None else int(progress)

    def flush(self, name: str) -> None:
        """Have a collection written to the server's storage, and wait for that."""
        with _told(self.address, f"cannot store the collection {name!r}"):
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
                with _told(self.address, f"cannot take rows of {name!r}"):
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
        with _told(self.address, f"cannot delete rows of {name!r}"):
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
        with _told(self.address, f"cannot read {name!r}"):
            rows = self._client.query(
                name,
                filter=f"{key} in {list(keys)!r}".replace("'", '"'),
                output_fields=[key, *fields],
                timeout=timeout_s,
                consistency_level="Strong" if strong else "Eventually",
            )
        return [{field: _plain(row[field]) for field in (key, *fields)} for row in rows]

    def find(self, name: str, condition: str, fields: Sequence[str], *, limit: int) -> list[Row]:
        """Return rows for which a condition holds, in any order."""
        with _told(self.address, f"cannot read {name!r}"):
            rows = self._client.query(
                name,
                filter=condition,
                output_fields=list(fields),
                limit=limit,
                timeout=ANSWER_S,
                consistency_level="Strong",
            )
        return [{field: _plain(row[field]) for field in fields} for row in rows]

    def count(self, name: str) -> int:
        """Return the number of rows, with everything that was written before."""
        with _told(self.address, f"cannot count {name!r}"):
            rows = self._client.query(
                name, filter="", output_fields=["count(*)"], timeout=WORK_S, consistency_level="Strong"
            )
        return int(rows[0]["count(*)"])

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
    ) -> list[tuple[list[int], list[float]]]:
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
        with _told(self.address, f"cannot search {name!r}"):
            found = self._client.search(
                name,
                data=list(vectors),
                anns_field=field,
                limit=k,
                search_params={
                    "metric_type": metric,
                    "params": {} if nprobe is None else {"nprobe": nprobe},
                },
                timeout=timeout_s,
                consistency_level="Strong" if strong else "Eventually",
            )
        return [(list(hits.ids), list(hits.distances)) for hits in found]

    def set_alias(self, alias: str, name: str, *, new: bool) -> None:
        """Let an alias stand for a collection, in one step."""
        with _told(self.address, f"cannot switch the alias {alias!r}"):
            change = self._client.create_alias if new else self._client.alter_alias
            change(name, alias, timeout=ANSWER_S)

    def drop_alias(self, alias: str) -> None:
        """Delete an alias; its collection stays."""
        with _told(self.address, f"cannot delete the alias {alias!r}"):
            self._client.drop_alias(alias, timeout=ANSWER_S)


def _client_class() -> "type[MilvusClient]":
    try:
        from pymilvus import MilvusClient
    except ImportError as error:
        raise CatalogError(
            'an index on Milvus needs the extra "milvus": pip install "stream-match[milvus]"'
        ) from error
    # It logs every failure that it raises, with whatever the server has said.
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL + 1)
    found: type[MilvusClient] = MilvusClient
    return found


def _certificates(address: MilvusAddress) -> Mapping[str, object]:
    if not address.tls:
        return {}
    if address.certfile:
        return {
            "secure": True,
            "ca_pem_path": address.cafile or "",
            "client_pem_path": address.certfile,
            "client_key_path": address.keyfile or "",
        }
    return {"secure": True, **({"server_pem_path": address.cafile} if address.cafile else {})}


def _require_version(version: str, address: MilvusAddress) -> None:
    found = re.match(r"v?(\d+)\.(\d+)", version)
    if not found or not OLDEST_VERSION <= (int(found[1]), int(found[2])) < BEYOND_VERSION:
        known = ".".join(map(str, OLDEST_VERSION))
        raise MilvusError(
            f"the Milvus server {address.server} has version {version[:40]!r}, expected {known} or later, "
            f"before {BEYOND_VERSION[0]}: take another server, or another version of stream-match",
            away=False,
        )


@contextmanager
def _told(address: MilvusAddress, what: str) -> Iterator[None]:
    """Say in one sentence what the client or the wire has raised."""
    import grpc
    from pymilvus.exceptions import MilvusException

    try:
        yield
    except (MilvusException, grpc.RpcError, grpc.FutureTimeoutError, OSError) as error:
        raise _failure(error, address, what) from error


def _failure(error: Exception, address: MilvusAddress, what: str) -> MilvusError:
    said = _said(error, address)
    if any(word in told for told in _causes(error) for word in _REFUSED):
        return MilvusError(
            f"the Milvus server {address.server} refuses "
            f"{'this token' if address.token else 'who has no token'}: set {TOKEN_VARIABLE} to USER:PASSWORD",
            away=False,
        )
    if _is_away(error, said):
        return MilvusError(f"the Milvus server {address.server} cannot be reached, or is too slow", away=True)
    return MilvusError(f"the Milvus server {address.server} {what}: {said}", away=False)


def _causes(error: BaseException | None) -> Iterator[str]:
    """Yield what an error says, and those that it came from; the client raises some from themselves."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        yield str(error)
        seen.append(error)
        error = error.__cause__


def _is_away(error: Exception, said: str) -> bool:
    import grpc

    code = getattr(error, "code", None)
    code = code() if callable(code) else code
    gone = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)
    return (
        code in gone
        or isinstance(error, grpc.FutureTimeoutError)
        or re.search(_AWAY, said, re.IGNORECASE) is not None
    )


def _said(error: Exception, address: MilvusAddress) -> str:
    """Return what an error says, on one line, without the token."""
    details = getattr(error, "details", None)
    code = getattr(error, "code", None)
    code = code() if callable(code) else ""
    text = getattr(error, "message", None) or (details() if callable(details) else None) or str(error)
    text = re.sub(r"\s+", " ", f"{code} {text}").partition("stack trace:")[0].strip()
    for secret in filter(None, [address.token, *(address.token or "").split(":", 1)]):
        text = text.replace(secret, "***")
    return text if len(text) <= 300 else f"{text[:300]}…"


def _is_not_found(error: Exception) -> bool:
    code, before = getattr(error, "code", None), getattr(error, "compatible_code", None)
    return code == _NOT_FOUND or before == _NOT_FOUND_BEFORE or "can't find collection" in str(error)


def _plain(value: Any) -> Any:
    """Return a value of a row; a binary vector comes as a list of one piece of bytes."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], bytes):
        return value[0]
    return value
