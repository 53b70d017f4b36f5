"""A connection to a Milvus server, over a wire that can be cut."""

import pytest
from milvus_server import Wire

from stream_match.milvus.address import MilvusAddress
from stream_match.milvus.connection import Connection
from stream_match.milvus.failures import MilvusError


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
