"""What a probe asks for, and what it says of a server that is starting."""

import pytest

from stream_match.milvus import origin as module
from stream_match.milvus.address import MilvusAddress
from stream_match.milvus.failures import MilvusError
from stream_match.milvus.layout import BLOCKS, CODES, SHINGLES, STEPS, Collections
from stream_match.milvus.origin import MilvusOrigin
from stream_match.milvus.probe import Probe

OURS = Collections("music", "0" * 18)
WITHIN_S = 1.5
FEWEST = 3


class Fake:
    """A connection to a server with some collections, of which some are loaded."""

    server = "host:1"

    def __init__(self, *, lacks=(), loading=None, released=(), away=False, neighbours=1000):
        self.neighbours = neighbours
        self.lacks, self.percent, self.released, self.away = lacks, loading or {}, released, away
        self.asked = []

    def describe(self, name, **_):
        self._answer()
        return None if name in self.lacks else name

    def search(self, name, _field, vectors, k, _metric, *, strong, timeout_s):
        self._ask(name, strong, timeout_s)
        return [([*range(min(k, self.neighbours))], [0] * k) for _ in vectors]

    def get(self, name, *_, strong, timeout_s):
        self._ask(name, strong, timeout_s)

    def loading(self, name, **_):
        self._answer()
        return self.percent.get(name)

    def close(self):
        pass

    def _ask(self, name, strong, timeout_s):
        self._answer()
        self.asked.append((name, strong, timeout_s))
        if name in self.percent or name in self.released:
            raise MilvusError(f"cannot search {name!r}: collection not loaded", away=False)

    def _answer(self):
        if self.away:
            raise MilvusError("cannot be reached", away=True)


def probed(connection, *, with_versions=True):
    Probe(OURS, 32, FEWEST, with_versions)(connection, WITHIN_S)


@pytest.mark.parametrize(
    ("with_versions", "kinds"), [(True, (CODES, BLOCKS, SHINGLES, STEPS)), (False, (CODES, BLOCKS))]
)
def test_all_that_engines_ask_for_is_asked_for(with_versions, kinds):
    connection = Fake()
    probed(connection, with_versions=with_versions)
    assert connection.asked == [(OURS.of(kind), False, WITHIN_S) for kind in kinds]
    Probe(OURS, 32, FEWEST, with_versions)(connection, strong=True)
    assert all(strong for _, strong, _ in connection.asked[len(kinds) :])


def test_a_server_that_finds_fewer_than_there_are_is_not_back():
    probed(Fake(neighbours=FEWEST))
    with pytest.raises(MilvusError, match=r"finds 2 neighbours in .*, expected 3: it is starting"):
        probed(Fake(neighbours=FEWEST - 1))


@pytest.mark.parametrize("kind", [CODES, BLOCKS, SHINGLES, STEPS])
def test_a_server_that_still_loads_one_of_them_is_starting(kind):
    with pytest.raises(MilvusError, match=rf"host:1 is starting: .* 50 % of '{OURS.of(kind)}'") as raised:
        probed(Fake(loading={OURS.of(kind): 50}))
    assert raised.value.away


@pytest.mark.parametrize("kind", [CODES, BLOCKS, SHINGLES, STEPS])
def test_what_is_not_loaded_and_not_being_loaded_is_told_as_the_server_says_it(kind):
    with pytest.raises(MilvusError, match="not loaded") as raised:
        probed(Fake(released=[OURS.of(kind)]))
    assert not raised.value.away


@pytest.mark.parametrize("kind", [CODES, BLOCKS, SHINGLES, STEPS])
def test_what_is_not_there_is_not_asked_for(kind):
    connection = Fake(lacks=[OURS.of(kind)])
    with pytest.raises(MilvusError, match=f"no collection '{OURS.of(kind)}': push the index again") as raised:
        probed(connection)
    assert not raised.value.away
    assert OURS.of(kind) not in [name for name, *_ in connection.asked]


def test_a_server_that_goes_away_meanwhile_is_away():
    connection = Fake(loading={OURS.of(CODES): 0})
    connection.loading = lambda *_, **__: Fake(away=True).describe("any")
    with pytest.raises(MilvusError, match="not loaded"):
        probed(connection)


def test_a_server_that_does_not_answer_is_not_asked_what_it_has_loaded():
    connection = Fake()
    connection._ask = lambda *_: Fake(away=True).describe("any")
    connection.loading = None  # whoever calls that fails
    with pytest.raises(MilvusError, match="cannot be reached") as raised:
        probed(connection)
    assert raised.value.away


class World:
    """An origin whose server is this fake; `pushed` is what its alias stands for."""

    def __init__(self, monkeypatch, tmp_path):
        self.connection, self.pushed = Fake(), "first"
        monkeypatch.setattr(module.Connection, "open", lambda *_, **__: self.connection)
        monkeypatch.setattr(module, "current", lambda *_: self.pushed)
        monkeypatch.setattr(module, "required", lambda *_: self.pushed)
        monkeypatch.setattr(module, "Opened", self.opened)
        self.origin = MilvusOrigin(MilvusAddress("host", "music"), tmp_path)
        assert self.origin.mark() == "first"
        self.origin.load()

    def opened(self, _connection, server, *_):
        self.server = server
        return self

    def probe(self, connection, _within_s):
        probed(connection)

    catalogue = None

    def lose(self):
        self.server.fault("it was killed")
        assert self.origin.away is not None


@pytest.fixture
def world(monkeypatch, tmp_path):
    return World(monkeypatch, tmp_path)


def test_what_was_pushed_while_the_server_was_away_is_found_though_what_was_listened_with_is_gone(world):
    world.lose()
    world.pushed, world.connection = "second", Fake(lacks=[OURS.of(CODES)])
    assert world.origin.mark() == "second"
    assert "push the index again" in world.origin.away  # till the second is loaded
    world.connection = Fake()
    world.origin.load()
    assert world.origin.mark() == "second"
    assert world.origin.away is None


def test_while_it_is_starting_the_alias_is_not_asked_for(world):
    world.lose()
    world.pushed, world.connection = None, Fake(loading={OURS.of(STEPS): 0})
    assert world.origin.mark() == "first"
    assert "is starting" in world.origin.away


def test_an_index_that_is_gone_for_good_stays_away(world):
    world.lose()
    world.pushed, world.connection = None, Fake(lacks=[OURS.of(BLOCKS)])
    assert world.origin.mark() == "first"
    assert "push the index again" in world.origin.away
