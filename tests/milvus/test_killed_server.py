"""A real Milvus server, killed and started again: all is there, and it is asked as soon as it answers."""

import time

import numpy as np
import pytest
from codes import random_codes
from milvus_server import MilvusProcess, server_environment
from pushed import index_folder

from stream_match.config import FeatureSettings
from stream_match.index.coding import HASHED_STRIDE, TrackCodes
from stream_match.index.port import NotAtHandError
from stream_match.milvus.address import MilvusAddress
from stream_match.milvus.origin import MilvusOrigin
from stream_match.milvus.push import push_index

SETTINGS = FeatureSettings(n_bits=128, chroma_bits=128)
SESSION_S = 5
"""So long the server waits for nodes of the one before, which are gone: 30 s by default."""

PATIENCE_S = 120.0


def track(number):
    codes = random_codes(300, number)
    chroma = np.random.default_rng(number).integers(0, 256, (100, 12), dtype=np.uint8)
    return TrackCodes(codes, codes[::HASHED_STRIDE], np.ones(len(codes), bool)), chroma


def proposed(known, asked):
    found, _ = known.propose(asked, asked)
    return sorted(zip(found.track.tolist(), found.position.tolist(), strict=True))


def test_a_server_that_was_killed_has_all_and_is_asked_again_as_soon_as_it_answers(tmp_path):
    server = MilvusProcess(server_environment(), tmp_path / "data", **{"common.session.ttl": SESSION_S})
    try:
        server.start()
        server.wait()
        index_folder(tmp_path / "index", {f"track{number}": track(number) for number in range(3)}, SETTINGS)
        at = MilvusAddress("127.0.0.1", "killed", server.port)
        push_index(tmp_path / "index", at)
        origin = MilvusOrigin(at, tmp_path / "cache")
        known, before = origin.load(), origin.mark()
        asked = track(1)[0].codes[:8]
        found = proposed(known, asked)
        assert found
        server.kill()
        with pytest.raises(NotAtHandError, match="cannot be reached"):
            known.propose(asked, asked)
        assert origin.mark() == before
        server.start()
        until = time.monotonic() + PATIENCE_S
        while origin.away is not None:
            assert time.monotonic() < until, origin.away
            time.sleep(0.5)
            origin.mark()
        assert proposed(known, asked) == found
        assert origin.mark() == before
    finally:
        server.kill()
