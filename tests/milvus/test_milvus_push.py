"""An index on a real Milvus server: pushed, changed, verified, and what goes wrong on the way."""

import shutil
import threading

import numpy as np
import pytest
import soundfile
from music import RATE_HZ, piece

from stream_match.catalog.build import build_index
from stream_match.catalog.coded_tracks import stored_tracks
from stream_match.catalog.edit import add_tracks, remove_tracks
from stream_match.catalog.store import open_index
from stream_match.cli import main
from stream_match.errors import CatalogError, UsageError
from stream_match.milvus import claims, push, sweep
from stream_match.milvus.add import add_remote
from stream_match.milvus.address import MilvusAddress
from stream_match.milvus.connection import Connection
from stream_match.milvus.describe import describe_remote, list_remote
from stream_match.milvus.edit import remove_remote
from stream_match.milvus.layout import (
    BLOCK,
    BLOCK_KEY,
    BLOCKS,
    CODE,
    CODE_KEY,
    CODES,
    DATA,
    KINDS,
    BlockShape,
    token_of,
)
from stream_match.milvus.opened import place_tracks
from stream_match.milvus.push import push_index
from stream_match.milvus.tables import current, required
from stream_match.milvus.verify import verify_remote


def write(folder, name, seed, seconds=20.0):
    folder.mkdir(parents=True, exist_ok=True)
    soundfile.write(folder / f"{name}.wav", piece(seed, seconds), RATE_HZ)


@pytest.fixture(scope="session")
def music(tmp_path_factory):
    folder = tmp_path_factory.mktemp("milvus-music")
    for number in range(4):
        write(folder, f"song{number}", number, 20.0 + 3 * number)
    return folder


@pytest.fixture(scope="session")
def index(music, tmp_path_factory):
    """An index of two segments, of which a track has been removed; not to be changed."""
    out = tmp_path_factory.mktemp("milvus-index") / "index"
    build_index([music], out, jobs=1, progress=False)
    more = tmp_path_factory.mktemp("milvus-more")
    write(more, "later", 7)
    add_tracks(out, [more], jobs=1, progress=False)
    remove_tracks(out, ["song1"])
    return out


@pytest.fixture
def address(milvus_server, request, monkeypatch):
    """An address of which nothing is there before and after."""
    monkeypatch.setattr(sweep, "RETIRED_S", 0.0)
    name = f"x{abs(hash(request.node.nodeid)):x}"
    address = MilvusAddress("127.0.0.1", name, milvus_server.port)
    yield address
    with Connection.open(address) as connection:
        if current(connection, name) is not None:
            connection.drop_alias(name)
        for collection in connection.collections():
            if collection.startswith(f"{name}_"):
                connection.drop(collection)


def collections_of(address):
    with Connection.open(address) as connection:
        return [name for name in connection.collections() if name.startswith(f"{address.name}_")]


def placed(address):
    with Connection.open(address) as connection:
        return place_tracks(connection, required(connection, address.name))


def test_what_is_pushed_is_what_the_folder_holds(index, address):
    report = push_index(index, address)
    here = open_index(index)
    assert (report.tracks, report.codes) == (4, here.manifest.counts.codes)
    there = placed(address)
    assert {row.id for row in there.rows} == {"song0", "song2", "song3", "later"}
    shape = BlockShape.of(here.manifest.settings)
    own = {track.row.id: track for segment in here.segments for track in stored_tracks(segment)}
    with Connection.open(address) as connection:
        of = there.generation.collections.of
        for segment in there.segments:
            for number in segment.left:
                row, track = segment.rows[number], own[segment.rows[number].id]
                first = int(segment.code_at[number])
                keys = list(range(first // BLOCK, -(-(first + row.codes) // BLOCK)))
                found = {r[BLOCK_KEY]: r[DATA] for r in connection.get(of(BLOCKS), BLOCK_KEY, keys, [DATA])}
                blocks = np.frombuffer(b"".join(found[key] for key in keys), np.uint8)
                back = shape.unpack(blocks.reshape(-1, shape.size), row.codes)
                assert np.array_equal(back.codes, track.codes.codes)
                assert np.array_equal(back.audible, track.codes.audible)
                assert np.array_equal(back.chroma_codes, track.codes.chroma_codes)
                at = row.codes // 2
                (code,) = connection.get(of(CODES), CODE_KEY, [first + at], [CODE])
                assert code[CODE] == track.codes.codes[at].tobytes()
        assert connection.count(of(CODES)) == here.manifest.counts.codes
    assert verify_remote(address) == []


def test_commands(index, address, capsys):
    uri = address.uri
    assert main(["index", "push", str(index), "--to", uri]) == 0
    assert "generation 3 now: 4 tracks" in capsys.readouterr().err
    assert main(["index", "list", uri]) == 0
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == [
        "later", "song0", "song2", "song3",
    ]  # fmt: skip
    assert main(["index", "info", uri, "--json"]) == 0
    assert '"tracks":4' in capsys.readouterr().out
    assert main(["index", "verify", uri]) == 0
    assert main(["index", "remove", uri, "song3"]) == 0
    assert main(["index", "remove", uri, "song9"]) == 2
    assert "did you mean" in capsys.readouterr().err
    assert [row.id for row in list_remote(address)] == ["later", "song0", "song2"]
    assert main(["index", "verify", uri]) == 0
    assert describe_remote(address).generation == 4


def test_tracks_are_added_with_the_planes_of_the_index(index, address, tmp_path):
    push_index(index, address)
    write(tmp_path / "new", "copy", 0, 20.0)  # the audio of song0 once more
    write(tmp_path / "new", "fresh", 11, 25.0)
    report = add_remote(address, [tmp_path / "new"], jobs=1, progress=False)
    assert report.tracks == 2
    there = placed(address)
    rows = {row.id: row for row in there.rows}
    assert len(rows) == 6
    assert rows["copy"].copies  # it is known to be the same recording as song0
    assert not rows["fresh"].copies
    local = shutil.copytree(index, tmp_path / "local")
    add_tracks(local, [tmp_path / "new"], jobs=1, progress=False)
    here = open_index(local)
    assert {row.id: row for row in here.rows} == rows
    assert there.manifest.excess == here.manifest.excess
    assert verify_remote(address) == []
    with pytest.raises(UsageError, match="a track 'fresh' already"):
        add_remote(address, [tmp_path / "new"], jobs=1, progress=False)


def test_positions_are_never_given_twice(index, address, tmp_path):
    push_index(index, address)
    write(tmp_path / "a", "one", 21)
    write(tmp_path / "b", "two", 22)
    add_remote(address, [tmp_path / "a"], jobs=1, progress=False)
    used = {int(at) for segment in placed(address).segments for at in segment.code_at}
    remove_remote(address, ["one"])
    add_remote(address, [tmp_path / "b"], jobs=1, progress=False)
    there = placed(address)
    (at,) = there.segments[-1].code_at.tolist()
    assert there.rows[-1].id == "two"
    assert at > max(used)
    with Connection.open(address) as connection:
        assert connection.count(there.generation.collections.of(CODES)) == there.manifest.counts.codes


def test_a_second_push_takes_the_place_of_the_first(index, address, music, tmp_path):
    push_index(index, address)
    before = collections_of(address)
    other = tmp_path / "other"
    build_index([music / "song1.wav", music / "song2.wav"], other, jobs=1, progress=False)  # other planes
    report = push_index(other, address)
    assert report.generation == 4  # one more than before, whatever the folder says
    assert {row.id for row in list_remote(address)} == {"song1", "song2"}
    assert not set(collections_of(address)) & set(before)
    assert verify_remote(address) == []


def test_of_two_pushes_at_once_the_second_to_switch_fails(index, address, monkeypatch):
    reached, go = threading.Event(), threading.Event()
    switch = push.switch

    def waiting(*args):
        if threading.current_thread() is slow:
            reached.set()
            go.wait(60)
        switch(*args)

    monkeypatch.setattr(push, "switch", waiting)
    problems = []

    def push_slowly():
        try:
            push_index(index, address)
        except CatalogError as error:
            problems.append(str(error))

    slow = threading.Thread(target=push_slowly)
    slow.start()
    assert reached.wait(120)
    push_index(index, address)
    go.set()
    slow.join(120)
    assert len(problems) == 1
    assert "another process has changed the index" in problems[0]
    assert verify_remote(address) == []
    tokens = {token_of(name, address.name) for name in collections_of(address)}
    assert len(tokens) == 1  # what the other one had written is gone


def test_what_a_killed_push_left_is_swept_by_a_later_one(index, address, monkeypatch):
    monkeypatch.setattr(push, "switch", lambda *_: 1 / 0)
    monkeypatch.setattr(push, "drop_push", lambda *_: None)
    with pytest.raises(ZeroDivisionError):
        push_index(index, address)
    monkeypatch.undo()
    monkeypatch.setattr(sweep, "RETIRED_S", 0.0)
    left = set(collections_of(address))
    assert len(left) == len(KINDS)
    assert push_index(index, address).swept == 0  # it may still be at work
    assert left < set(collections_of(address))
    monkeypatch.setattr(claims, "DEAD_AFTER_S", -1.0)
    monkeypatch.setattr(sweep, "DEAD_AFTER_S", -1.0)
    assert push_index(index, address).swept == len(left)
    assert not left & set(collections_of(address))
    assert verify_remote(address) == []
