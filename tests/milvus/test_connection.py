"""A connection to a Milvus server: how it comes about, and what is found and read over it."""

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
from milvus_server import Wire

from stream_match.milvus.address import MilvusAddress
from stream_match.milvus.connection import Connection, Field
from stream_match.milvus.failures import MilvusError

CHANCE = np.random.default_rng(5)
CODES = CHANCE.integers(0, 256, (40, 32), dtype=np.uint8)
TURNS = CHANCE.standard_normal((40, 8)).astype(np.float32)
KEYS = [(1 << 40) + 7 * number for number in range(40)]


def test_a_new_connection_does_not_wait_because_an_old_one_failed(milvus_server):
    wire = Wire(milvus_server.port)
    address = MilvusAddress("127.0.0.1", "any", wire.port)
    with Connection.open(address) as old:
        wire.cut()
        for _ in range(2):
            with pytest.raises(MilvusError, match="cannot be reached"):
                old.describe("any", timeout_s=1.0)
        wire.mend()
        with Connection.open(address) as new:
            assert new.describe("any") is None
    wire.close()


def test_who_reads_over_a_connection_that_was_closed_is_told(milvus_server):
    connection = Connection.open(MilvusAddress("127.0.0.1", "any", milvus_server.port))
    handler = connection._client._get_connection()
    connection.close()
    connection._client = SimpleNamespace(_get_connection=lambda: handler)
    with pytest.raises(MilvusError, match="cannot be reached"):
        connection.search("any", "code", [bytes(4)], 1, "HAMMING")
    with pytest.raises(MilvusError, match="cannot be reached"):
        connection.get("any", "pos", [1], ["code"])


@contextmanager
def numbers(server, field, index_type, metric, vectors):
    """A collection of vectors with keys, each 7 after the one before."""
    with Connection.open(MilvusAddress("127.0.0.1", "any", server.port)) as connection:
        connection.create("numbers", [Field("pos", "INT64"), field])
        try:
            connection.index("numbers", field.name, index_type, metric)
            connection.load("numbers")
            assert connection.find("numbers", "pos >= 0", ["pos"], limit=9) == []
            rows = [{"pos": key, field.name: one} for key, one in zip(KEYS, vectors, strict=True)]
            connection.insert("numbers", rows)
            yield connection
        finally:
            connection.drop("numbers")


def test_codes_are_found_and_read_as_numpy_has_them(milvus_server):
    codes = [code.tobytes() for code in CODES]
    with numbers(milvus_server, Field("code", "BINARY_VECTOR", 256), "BIN_FLAT", "HAMMING", codes) as server:
        nearest = server.search("numbers", "code", codes[:3], 50, "HAMMING", strong=True)
        rows = server.get("numbers", "pos", [KEYS[5], 3, KEYS[39]], ["code"])
        assert server.get("numbers", "pos", [3], ["code"]) == []
        assert server.count("numbers") == 40
        assert len(server.find("numbers", "pos >= 0", ["pos"], limit=9)) == 9
    assert sorted((row["pos"], row["code"]) for row in rows) == [(KEYS[n], codes[n]) for n in (5, 39)]
    assert len(nearest) == 3
    for code, (keys, bits) in zip(CODES[:3], nearest, strict=True):
        assert (keys.dtype, bits.dtype, keys.shape) == (np.int64, np.float32, (40,))
        expected = np.unpackbits(CODES ^ code, axis=1).sum(axis=1)
        assert bits.tolist() == sorted(expected)
        assert expected[(keys - KEYS[0]) // 7].tolist() == bits.tolist()


def test_products_are_found_as_numpy_has_them(milvus_server):
    turns = [turn.tolist() for turn in TURNS]
    with numbers(milvus_server, Field("turn", "FLOAT_VECTOR", 8), "FLAT", "IP", turns) as server:
        nearest = server.search("numbers", "turn", list(TURNS[:2]), 4, "IP", strong=True)
    for turn, (keys, product) in zip(TURNS[:2], nearest, strict=True):
        np.testing.assert_allclose(product, np.sort(TURNS @ turn)[::-1][:4], rtol=1e-5)
        np.testing.assert_allclose(product, (TURNS @ turn)[(keys - KEYS[0]) // 7], rtol=1e-5)
