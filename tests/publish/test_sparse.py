import logging

from stream_match.publish.sparse import SparseLog


def test_tells_each_kind_once_per_period_and_counts_the_rest(caplog):
    now = [0.0]
    sparse = SparseLog(logging.getLogger("test"), period_s=300, clock=lambda: now[0])
    assert sparse.tell("refused", "No.")
    assert not sparse.tell("refused", "No.")
    assert sparse.tell("tls", "Bad.")
    now[0] = 300.0
    assert sparse.tell("refused", "No.")
    assert caplog.messages == ["No.", "Bad.", "No. (and 1 times since this was last told)"]
