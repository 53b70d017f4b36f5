"""The Milvus server of these tests."""

import pytest
from milvus_server import milvus_process


@pytest.fixture(scope="session")
def milvus_server(tmp_path_factory):
    """A real Milvus server; skips with a word where it is not to be had."""
    with milvus_process(tmp_path_factory.mktemp("milvus") / "data") as server:
        yield server
