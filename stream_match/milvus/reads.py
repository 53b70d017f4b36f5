"""Searches, and rows by a condition, in the messages of the service itself.

A listener asks for both many times a second. The client would make an object of each neighbour and of each
row, which takes longer than all else that is done with them.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from pymilvus import MilvusClient

Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]

Row = dict[str, Any]

Found = list[tuple[Int64, Float32]]
"""For each vector asked about, the keys of the nearest ones, nearest first, and how near they are."""

_EVENTUALLY = 1
"""Timestamp before all writing: nothing that was written has to be seen. Of the newest writing it is 0."""


def can_read(client: "MilvusClient") -> bool:
    """Return whether this release of the client has what is used of it here."""
    return hasattr(client, "_get_connection") and hasattr(client._get_connection(), "_stub")


def search(
    client: "MilvusClient",
    name: str,
    vectors: Sequence[Any],
    how: Mapping[str, object],
    *,
    strong: bool,
    timeout_s: float,
) -> Found:
    """Return the keys nearest to each vector.

    Parameters
    ----------
    client : MilvusClient
    name : str
        Of a collection whose keys are integers.
    vectors : sequence of bytes or of sequence of float
    how : mapping
        The service's search parameters.
    strong : bool
        Whether everything that was written before must be seen.
    timeout_s : float

    Raises
    ------
    MilvusException, grpc.RpcError
        If the server does not answer, or answers with an error or with what cannot be understood.
    """
    from pymilvus.grpc_gen import common_pb2, milvus_pb2

    binary = bool(vectors) and isinstance(vectors[0], bytes)
    asked = common_pb2.PlaceholderValue(
        tag="$0",
        type=common_pb2.PlaceholderType.Value("BinaryVector" if binary else "FloatVector"),
        values=vectors if binary else [np.asarray(one, "<f4").tobytes() for one in vectors],
    )
    request = milvus_pb2.SearchRequest(
        collection_name=name,
        nq=len(vectors),
        placeholder_group=common_pb2.PlaceholderGroup(placeholders=[asked]).SerializeToString(),
        dsl_type=common_pb2.DslType.BoolExprV1,
        search_params=[common_pb2.KeyValuePair(key=key, value=_text(value)) for key, value in how.items()],
        **_seen(strong=strong),
    )
    answer = _answer(client, "Search", request, strong=strong, timeout_s=timeout_s)
    with _understood():
        keys = np.array(answer.results.ids.int_id.data, np.int64)
        near = np.array(answer.results.scores, np.float32)
        ends = np.cumsum(answer.results.topks, dtype=np.int64)
        if len(ends) != len(vectors) or not len(keys) == len(near) == ends[-1]:
            raise ValueError("counts differ")
        return list(zip(np.split(keys, ends[:-1]), np.split(near, ends[:-1]), strict=True))


def query(
    client: "MilvusClient",
    name: str,
    condition: str,
    fields: Sequence[str],
    *,
    limit: int | None = None,
    strong: bool,
    timeout_s: float,
) -> list[Row]:
    """Return rows for which a condition holds, in any order.

    Binary vectors come as bytes. Vectors of floats cannot be read.

    Parameters
    ----------
    client : MilvusClient
    name : str
        Of the collection.
    condition : str
    fields : sequence of str
    limit : int, optional
        Rows at most.
    strong, timeout_s
        As in `search`.

    Raises
    ------
    MilvusException, grpc.RpcError
        As `search`.
    """
    from pymilvus.grpc_gen import common_pb2, milvus_pb2

    bounds = {} if limit is None else {"limit": limit}
    request = milvus_pb2.QueryRequest(
        collection_name=name,
        expr=condition,
        output_fields=fields,
        query_params=[common_pb2.KeyValuePair(key=key, value=_text(value)) for key, value in bounds.items()],
        **_seen(strong=strong),
    )
    answer = _answer(client, "Query", request, strong=strong, timeout_s=timeout_s)
    with _understood():
        columns = {one.field_name: _column(one) for one in answer.fields_data}
        if not columns:
            return []
        rows = zip(*(columns[field] for field in fields), strict=True)
        return [dict(zip(fields, row, strict=True)) for row in rows]


def _column(field: Any) -> Sequence[Any]:
    """Return the values of a field in all rows."""
    if field.HasField("vectors"):
        values, width = field.vectors.binary_vector, field.vectors.dim // 8
        return [values[first : first + width] for first in range(0, len(values), width)]
    values = getattr(field.scalars, field.scalars.WhichOneof("data")).data
    return [*values]


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _seen(*, strong: bool) -> dict[str, Any]:
    """Return what of the writing before has to be seen, as the messages say it."""
    from pymilvus.grpc_gen import common_pb2

    level = common_pb2.ConsistencyLevel.Value("Strong" if strong else "Eventually")
    return {
        "consistency_level": level,
        "guarantee_timestamp": 0 if strong else _EVENTUALLY,
        "use_default_consistency": False,
    }


def _answer(client: "MilvusClient", method: str, request: Any, *, strong: bool, timeout_s: float) -> Any:
    """Return what the server answers; with `strong`, also wait until there is a connection."""
    from pymilvus.client.utils import check_status
    from pymilvus.exceptions import MilvusException

    ask = getattr(client._get_connection()._stub, method)  # another stub after a failure
    try:
        answer = ask(request, timeout=timeout_s, wait_for_ready=strong)
    except ValueError as error:  # a connection that is made anew is closed under who is about to use it
        raise MilvusException(message=f"fail connecting: {error}") from error
    check_status(answer.status)
    return answer


@contextmanager
def _understood() -> Iterator[None]:
    """Say of an answer that is not as it has to be, whatever that leads to, that it is none."""
    from pymilvus.exceptions import MilvusException

    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise MilvusException(message=f"its answer cannot be understood ({error})") from error
