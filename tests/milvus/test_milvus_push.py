"""An index on a real Milvus server: pushed, changed, verified, and what goes wrong on the way."""

import dataclasses
import shutil
import subprocess
import threading
import time

import numpy as np
import pytest
import soundfile
from milvus_server import MilvusProcess, Wire, server_environment
from music import RATE_HZ, piece

from stream_match.catalog.build import build_index
from stream_match.catalog.coded_tracks import stored_tracks
from stream_match.catalog.edit import add_tracks, remove_tracks
from stream_match.catalog.store import open_index
from stream_match.cli import main
from stream_match.errors import CatalogError, UsageError
from stream_match.milvus import add as adding
from stream_match.milvus import claims, push, sweep
from stream_match.milvus import connection as connection_module
from stream_match.milvus import remove as removing
from stream_match.milvus.add import add_remote
from stream_match.milvus.address import MilvusAddress
from stream_match.milvus.connection import Connection, Field
from stream_match.milvus.describe import describe_remote, list_remote
from stream_match.milvus.failures import MilvusError
from stream_match.milvus.layout import (
    BLOCK,
    BLOCK_KEY,
    BLOCKS,
    CODE,
    CODE_KEY,
    CODES,
    DATA,
    FILES,
    KINDS,
    SHINGLES,
    STEPS,
    BlockShape,
    token_of,
)
from stream_match.milvus.placed import place_tracks
from stream_match.milvus.push import push_index
from stream_match.milvus.remove import remove_remote
from stream_match.milvus.tables import current, required
from stream_match.milvus.verify import verify_remote


def write(folder, name, seed, seconds=20.0, level=1.0):
    folder.mkdir(parents=True, exist_ok=True)
    soundfile.write(folder / f"{name}.wav", level * piece(seed, seconds), RATE_HZ)


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


def places(address):
    """Where the codes of each track begin."""
    there = placed(address)
    return {
        segment.rows[number].id: int(segment.code_at[number])
        for segment in there.segments
        for number in segment.left
    }


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
    write(tmp_path / "new", "copy", 0, 20.0, level=0.9)  # song0 once more
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
    with pytest.raises(UsageError, match="has a track 'copy' already"):
        add_remote(address, [tmp_path / "new"], jobs=1, progress=False)


def test_positions_are_never_given_twice(index, address, tmp_path):
    push_index(index, address)
    write(tmp_path, "one", 21)
    add_remote(address, [tmp_path], jobs=1, progress=False)
    used, before = places(address), placed(address)
    remove_remote(address, ["one"])
    add_remote(address, [tmp_path], jobs=1, progress=False)
    now, there = places(address), placed(address)
    assert now.pop("one") > max(used.values())
    used.pop("one")
    assert now == used  # small segments have been taken in, their rows stay
    assert len(before.segments) == len(there.segments) == 2
    # What a listener knows of a segment by its name stays right.
    assert before.segments[1].rows == there.segments[1].rows
    assert before.segments[1].entry.name != there.segments[1].entry.name
    with Connection.open(address) as connection:
        assert connection.count(there.generation.collections.of(CODES)) == there.manifest.counts.codes
    assert verify_remote(address) == []


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


def test_a_removal_that_another_one_has_overtaken_fails_and_harms_nothing(index, address, monkeypatch):
    push_index(index, address)
    first, second, *others = sorted(places(address))

    def overtaken(*args):
        """Look at the index; then another process removes a track of it."""
        seen = place_tracks(*args)
        monkeypatch.setattr(removing, "place_tracks", place_tracks)
        assert remove_remote(address, [first]) == 1
        return seen

    monkeypatch.setattr(removing, "place_tracks", overtaken)
    with pytest.raises(CatalogError, match="another process has changed the index"):
        remove_remote(address, [second])
    assert sorted(places(address)) == [second, *others]
    assert verify_remote(address) == []
    assert remove_remote(address, [second]) == 1
    assert sorted(places(address)) == others


def test_what_fails_after_the_switch_is_left_to_later_writers(index, address, monkeypatch):
    def gone(*_):
        raise MilvusError("it is gone", away=True)

    before = push_index(index, address)
    with monkeypatch.context() as patch:
        patch.setattr(push, "drop_push", gone)
        patch.setattr(push, "retire", gone)
        patch.setattr(removing, "delete_rows", gone)
        assert push_index(index, address).generation > before.generation
        assert remove_remote(address, [min(places(address))]) == 1
    assert verify_remote(address) == []
    remove_remote(address, [min(places(address))])
    assert verify_remote(address) == []


def test_an_alias_that_outlived_its_collection_is_replaced(index, address):
    push_index(index, address)
    with Connection.open(address) as connection:
        connection.drop(required(connection, address.name).collection)
        assert current(connection, address.name) is None
    push_index(index, address)
    assert verify_remote(address) == []


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


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate of this machine that stands for itself, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("milvus-certificate")
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["-keyout", folder / "key.pem", "-out", folder / "own.pem"]
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names, *made]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "own.pem", folder / "key.pem"


@pytest.fixture(scope="module")
def guarded(certificate, tmp_path_factory):
    """`guarded(**entry)`: an address on a server that encrypts, asks for a token and has hardly any room."""
    own, key = certificate
    server = MilvusProcess(
        server_environment(),
        tmp_path_factory.mktemp("milvus-guarded") / "data",
        authorization_enabled=True,
        tls_mode=1,
        server_pem_path=str(own),
        server_key_path=str(key),
        **{"quotaAndLimits.limitWriting.diskProtection.diskQuota": 0.001},
    )
    server.start()
    try:
        server.wait(tls=True, cafile=str(own), token="root:Milvus")
        yield lambda **entry: MilvusAddress(
            "127.0.0.1", "music", server.port, **{"tls": True, "cafile": str(own), **entry}
        )
    finally:
        server.kill()


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"token": "root:wrong-secret"}, "refuses this token"),
        ({}, "refuses who has no token"),
        ({"token": "root:Milvus", "tls": False}, "cannot be reached"),
        ({"token": "root:Milvus", "cafile": None}, "cannot be reached"),
        ({"token": "root:Milvus", "cafile": "no-such.pem"}, "the cafile 'no-such.pem' is not there"),
    ],
)
def test_a_server_that_does_not_let_us_in(guarded, entry, told):
    with pytest.raises(CatalogError, match=told) as raised:
        Connection.open(guarded(**entry), timeout_s=3.0)
    assert "\n" not in str(raised.value)
    assert "secret" not in str(raised.value)


def test_a_full_server_is_told_and_nothing_is_left(guarded, index):
    address = guarded(token="root:Milvus")
    told = None
    for _ in range(5):  # the server looks how full it is every few seconds
        if told is not None:
            break
        told = _pushed_and_stored(index, address)
        time.sleep(4)
    assert told is not None
    assert "disk quota exceeded" in told
    with Connection.open(address) as connection:
        tokens = {token_of(name, "music") for name in connection.collections()}
    assert len(tokens) == 1  # of the push before


def _pushed_and_stored(index, address):
    """Push an index and have it stored; return what was complained of."""
    try:
        push_index(index, address)
    except CatalogError as error:
        return str(error)
    with Connection.open(address) as connection:
        for name in connection.collections():
            if name.endswith(tuple(KINDS)):
                connection.flush(name)
    return None


def test_a_server_that_goes_away_in_the_middle_leaves_what_was_there(index, address, monkeypatch):
    push_index(index, address)
    monkeypatch.setattr(connection_module, "WRITE_S", 2.0)
    monkeypatch.setattr(connection_module, "PATIENCE_S", 0.0)
    monkeypatch.setattr(connection_module, "_PAUSE_S", 0.1)
    monkeypatch.setattr(connection_module, "ANSWER_S", 5.0)
    wire = Wire(address.port)
    through = dataclasses.replace(address, port=wire.port)
    insert, sent = Connection.insert, []

    def insert_until_it_is_gone(connection, name, rows):
        sent.append(name)
        if len(sent) == 2:
            wire.cut()
        insert(connection, name, rows)

    monkeypatch.setattr(Connection, "insert", insert_until_it_is_gone)
    with pytest.raises(CatalogError, match=r"cannot be reached.*nothing has changed for listeners"):
        push_index(index, through)
    monkeypatch.undo()
    wire.mend()
    assert verify_remote(through) == []
    assert describe_remote(address).generation == 3
    wire.close()


def test_a_server_that_is_away_for_a_while_is_waited_for(index, address, monkeypatch, caplog):
    monkeypatch.setattr(connection_module, "WRITE_S", 2.0)
    monkeypatch.setattr(connection_module, "_PAUSE_S", 1.0)
    wire = Wire(address.port)
    insert, sent = Connection.insert, []

    def insert_while_it_is_gone(connection, name, rows):
        sent.append(name)
        if len(sent) == 2:
            wire.cut()
            threading.Timer(3.0, wire.mend).start()
        insert(connection, name, rows)

    monkeypatch.setattr(Connection, "insert", insert_while_it_is_gone)
    push_index(index, dataclasses.replace(address, port=wire.port))
    wire.close()
    assert "it is tried again" in caplog.text
    assert verify_remote(address) == []
    there = placed(address)
    with Connection.open(address) as connection:
        assert connection.count(there.generation.collections.of(CODES)) == there.manifest.counts.codes


def test_where_there_is_nothing(milvus_server, capsys):
    uri = f"milvus://127.0.0.1:{milvus_server.port}/nothing"
    for command in (["info", uri], ["list", uri], ["verify", uri], ["remove", uri, "a"]):
        assert main(["index", *command]) == 1
        told = capsys.readouterr().err
        assert "there is no index 'nothing'" in told
        assert told.count("\n") == 1


def test_where_nobody_answers(index, capsys):
    assert main(["index", "push", str(index), "--to", "milvus://127.0.0.1:9/music"]) == 1
    assert "127.0.0.1:9 cannot be reached" in capsys.readouterr().err
    assert main(["index", "push", str(index), "--to", "milvus://127.0.0.1:9/mu-sic"]) == 2
    assert "cannot name an index" in capsys.readouterr().err


def test_a_name_that_is_something_elses(index, address):
    with Connection.open(address) as connection:
        connection.create(address.name, [Field("id", "INT64"), Field("v", "BINARY_VECTOR", 8)], "a shop")
        try:
            with pytest.raises(CatalogError, match="is not an index"):
                push_index(index, address)
        finally:
            connection.drop(address.name)


def damage(address, kind, condition):
    """Delete some rows of an index, as a lost part would."""
    there = placed(address)
    with Connection.open(address) as connection:
        connection.delete(there.generation.collections.of(kind), condition(there.segments[0]))


def test_lost_rows_are_found(index, address):
    push_index(index, address)
    for kind, condition, told in (
        (SHINGLES, lambda segment: f"step == {segment.step_at[0]}", "shingles, expected"),
        (CODES, lambda segment: f"pos == {segment.code_at[0]}", "codes, expected"),
        (STEPS, lambda segment: f"block == {segment.step_at[0] // BLOCK}", "altered, of 'song0'"),
        (BLOCKS, lambda segment: f"block == {segment.code_at[2] // BLOCK}", "altered, of 'song0', 'song2'"),
        (FILES, lambda segment: f'chunk like "{segment.entry.files["lsh_starts.npy"].sha256}%"', "not whole"),
    ):
        damage(address, kind, condition)
        problems = verify_remote(address)
        assert any(told in problem for problem in problems)
    assert len(problems) == 4
    assert main(["index", "verify", address.uri]) == 1


def test_what_a_killed_addition_left_is_swept_by_a_later_one(index, address, tmp_path, monkeypatch):
    push_index(index, address)
    write(tmp_path / "a", "one", 21)
    write(tmp_path / "b", "two", 22)
    with monkeypatch.context() as broken:
        broken.setattr(adding, "switch", lambda *_: 1 / 0)
        broken.setattr(adding, "delete_rows", lambda *_: None)
        broken.setattr(claims.Beat, "end", lambda _: None)
        with pytest.raises(ZeroDivisionError):
            add_remote(address, [tmp_path / "a"], jobs=1, progress=False)
    there = placed(address)
    codes = there.generation.collections.of(CODES)
    with Connection.open(address) as connection:
        assert connection.count(codes) > there.manifest.counts.codes
    assert verify_remote(address) == []  # nobody takes notice of them
    monkeypatch.setattr(claims, "DEAD_AFTER_S", -1.0)
    add_remote(address, [tmp_path / "b"], jobs=1, progress=False)
    there = placed(address)
    assert {row.id for row in there.rows} == {"song0", "song2", "song3", "later", "two"}
    with Connection.open(address) as connection:
        assert connection.count(codes) == there.manifest.counts.codes
        assert claims.claims_in(connection, there.generation.collections) == []
    assert verify_remote(address) == []


def test_one_lock_is_held_at_a_time_and_a_forgotten_one_is_broken(address):
    with Connection.open(address) as connection:
        with claims.locked(connection, address.name, "one"):
            with (
                pytest.raises(CatalogError, match="another process is changing"),
                claims.locked(connection, address.name, "two"),
            ):
                pass
            later = time.time() + 61
            with claims.locked(connection, address.name, "three", wall=lambda: later):
                pass
        with claims.locked(connection, address.name, "four"):
            pass


def test_a_server_of_another_version_is_refused(address, monkeypatch):
    with monkeypatch.context() as later:
        later.setattr(connection_module, "BEYOND_VERSION", (2, 3))
        _refused_for_its_version(address)


def _refused_for_its_version(address):
    with pytest.raises(CatalogError, match=r"has version 'v2\.3\.5.*expected 2\.3 or later"):
        Connection.open(address)


def test_an_index_of_a_later_version_or_of_other_features_is_refused(index, address):
    push_index(index, address)
    there = placed(address)
    for change, told in (
        ({"format_version": 2}, "has format version 2"),
        ({"fingerprint": "0" * 16}, "made by other feature code"),
    ):
        with Connection.open(address) as connection:
            manifest = there.manifest.model_copy(update={"generation": there.generation.number + 1, **change})
            before = required(connection, address.name)
            after = push.write_generation(connection, before.collections, manifest)
            after = dataclasses.replace(after, number=before.number + 1)
            push.switch(connection, before, after)
        with pytest.raises(CatalogError, match=told):
            list_remote(address)
