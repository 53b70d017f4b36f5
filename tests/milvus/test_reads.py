"""Answers of a server as they come, odd ones among them: rows and neighbours, or one sentence."""

from types import SimpleNamespace

import numpy as np
import pytest

from stream_match.milvus.address import MilvusAddress
from stream_match.milvus.connection import Connection
from stream_match.milvus.failures import MilvusError, told

pytest.importorskip("pymilvus", reason='an index on Milvus needs the extra "milvus"')

import grpc
from pymilvus.grpc_gen import common_pb2, milvus_pb2, schema_pb2

ADDRESS = MilvusAddress("host", "any")
CODES = [bytes(4), bytes(4)]


class Failure(grpc.RpcError):
    """What the wire raises."""

    def __init__(self, code, details=""):
        super().__init__(details)
        self.code, self.details = lambda: code, lambda: details


def connection(*answers):
    """Return a connection to a server that gives these answers, and the requests that it has got."""
    asked, coming = [], iter(answers)

    def ask(request, **how):
        asked.append((request, how))
        answer = next(coming)
        if isinstance(answer, Exception):
            raise answer
        return answer

    handler = SimpleNamespace(_stub=SimpleNamespace(Search=ask, Query=ask))
    return Connection(ADDRESS, SimpleNamespace(_get_connection=lambda: handler), "v2.3.5"), asked


def neighbours(keys=(7, 5, 9), near=(0, 1, 1), topks=(2, 1), **ids):
    ids = schema_pb2.IDs(**(ids or {"int_id": schema_pb2.LongArray(data=keys)}))
    found = schema_pb2.SearchResultData(num_queries=2, topks=topks, scores=near, ids=ids)
    return milvus_pb2.SearchResults(results=found)


def rows(*fields):
    return milvus_pb2.QueryResults(fields_data=fields)


def numbers(name, *values):
    scalars = schema_pb2.ScalarField(long_data=schema_pb2.LongArray(data=values))
    return schema_pb2.FieldData(field_name=name, scalars=scalars)


def codes(name, values, bits=32):
    vectors = schema_pb2.VectorField(dim=bits, binary_vector=values)
    return schema_pb2.FieldData(field_name=name, vectors=vectors)


def refused(code, why):
    return milvus_pb2.SearchResults(status=common_pb2.Status(code=code, reason=why))


def test_each_vector_has_its_neighbours():
    server, asked = connection(neighbours())
    found = server.search("numbers", "code", CODES, 2, "HAMMING", nprobe=9, timeout_s=3.0)
    assert [(keys.tolist(), near.tolist()) for keys, near in found] == [([7, 5], [0, 1]), ([9], [1])]
    assert all(keys.dtype == np.int64 and near.dtype == np.float32 for keys, near in found)
    ((request, how),) = asked
    assert (request.nq, request.collection_name, how["timeout"]) == (2, "numbers", 3.0)
    params = {pair.key: pair.value for pair in request.search_params}
    assert params["params"] == '{"nprobe": 9}'
    assert (params["topk"], params["anns_field"], params["metric_type"]) == ("2", "code", "HAMMING")


@pytest.mark.parametrize(
    "answer",
    [
        neighbours(near=(0, 1)),
        neighbours(topks=(2, 2)),
        neighbours(topks=(3,)),
        neighbours(topks=()),
        neighbours(str_id=schema_pb2.StringArray(data=["a", "b", "c"])),
    ],
)
def test_neighbours_that_contradict_themselves_are_none(answer):
    server, _ = connection(answer)
    with pytest.raises(MilvusError, match="cannot search 'numbers': its answer cannot be understood"):
        server.search("numbers", "code", CODES, 2, "HAMMING")


def counted(answer):
    server, asked = connection(answer)
    return server.count("numbers"), asked


def test_rows_are_counted():
    count, ((request, how),) = counted(rows(numbers("count(*)", 77)))
    assert count == 77
    assert list(request.output_fields) == ["count(*)"]
    assert how["wait_for_ready"]
    assert counted(rows())[0] == 0


def test_rows_have_their_fields():
    answer = rows(codes("code", b"abcdefgh"), numbers("pos", 5, 6))
    server, _ = connection(answer)
    expected = [{"pos": 5, "code": b"abcd"}, {"pos": 6, "code": b"efgh"}]
    assert server.get("numbers", "pos", [5, 6], ["code"]) == expected
    assert connection(rows())[0].get("numbers", "pos", [5], ["code"]) == []
    assert connection()[0].get("numbers", "pos", [], ["code"]) == []


@pytest.mark.parametrize(
    "answer",
    [
        rows(numbers("pos", 5)),
        rows(numbers("pos", 5), codes("code", b"abcdefgh")),
        rows(numbers("pos", 5), codes("code", b"abcd", bits=0)),
        rows(numbers("pos", 5), schema_pb2.FieldData(field_name="code")),
    ],
)
def test_rows_that_contradict_themselves_are_none(answer):
    server, _ = connection(answer)
    with pytest.raises(MilvusError, match="cannot read 'numbers': its answer cannot be understood"):
        server.get("numbers", "pos", [5], ["code"])


@pytest.mark.parametrize(
    "failure", [Failure(grpc.StatusCode.UNAVAILABLE), Failure(grpc.StatusCode.INTERNAL, "RST_STREAM")]
)
def test_only_who_wants_to_see_all_that_was_written_waits(failure):
    server, asked = connection(failure, neighbours())
    with pytest.raises(MilvusError, match="cannot be reached"):
        server.search("numbers", "code", CODES, 2, "HAMMING")
    assert not asked[0][1]["wait_for_ready"]
    server, asked = connection(failure, neighbours())
    assert len(server.search("numbers", "code", CODES, 2, "HAMMING", strong=True)) == 2
    assert asked[0][1]["wait_for_ready"]
    assert asked[1][1]["timeout"] < asked[0][1]["timeout"]


def test_a_server_that_is_asked_too_often_is_asked_again():
    server, asked = connection(refused(8, "rate limit exceeded"), neighbours())
    assert len(server.search("numbers", "code", CODES, 2, "HAMMING")) == 2
    server, asked = connection(refused(8, "rate limit exceeded"))
    with pytest.raises(
        MilvusError, match=r"is asked more often than it allows: .*rate limit exceeded"
    ) as found:
        server.search("numbers", "code", CODES, 2, "HAMMING", timeout_s=0.1)
    assert found.value.away
    assert len(asked) == 1


def test_an_error_of_the_server_is_told():
    server, asked = connection(refused(1100, "topk [20000] is invalid"))
    with pytest.raises(MilvusError, match=r"cannot search 'numbers': .*is invalid") as found:
        server.search("numbers", "code", CODES, 2, "HAMMING", strong=True)
    assert not found.value.away
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("details", "sentence"),
    [
        ("errors resolving host:19530: Domain name not found", "there is no host of this name"),
        ("errors resolving host:19530: Could not contact DNS servers", "its name cannot be looked up"),
    ],
)
def test_a_name_that_nobody_knows_is_told_from_a_server_that_is_silent(details, sentence):
    with (
        pytest.raises(MilvusError, match=f"host:19530 cannot be reached: {sentence}") as found,
        told(ADDRESS, "does not answer"),
    ):
        raise Failure(grpc.StatusCode.UNAVAILABLE, details)
    assert found.value.away
