"""Leases on real NATS servers: compare-and-set, news, killed servers, and what is told of bad ones."""

import asyncio
import shutil
import subprocess
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from fleet.nats_servers import WAIT_S

from stream_match.config.share_settings import ShareSettings
from stream_match.errors import UsageError
from stream_match.fleet.address import servers_of
from stream_match.fleet.bucket import ConflictError, FleetError
from stream_match.fleet.holder import Me, Surroundings
from stream_match.fleet.worker import Worker

SECRET = "s3cret-t0ken"


def opener(uris, patience_s=2.0, **more):
    from stream_match.fleet.jetstream import JetStream

    settings = ShareSettings(servers=uris, **more)
    return JetStream(settings, servers_of(settings), node="attic", patience_s=patience_s)


@asynccontextmanager
async def opened(jetstream):
    """A connection, once the servers are ready for one."""
    async with asyncio.timeout(WAIT_S):
        while True:
            try:
                opening = jetstream.open()
                bucket = await opening.__aenter__()
            except FleetError:
                await asyncio.sleep(0.1)
            else:
                break
    try:
        yield bucket
    finally:
        await opening.__aexit__(None, None, None)


async def at_last(work):
    """Try until servers have elected whom to ask."""
    async with asyncio.timeout(WAIT_S):
        while True:
            try:
                return await work()
            except FleetError:
                await asyncio.sleep(0.1)


async def check_contract(bucket):
    """Check what `Bucket` promises."""
    assert await bucket.get("source.a") is None
    first = await bucket.put("source.a", b"1", 0)
    with pytest.raises(ConflictError):
        await bucket.put("source.a", b"2", 0)
    with pytest.raises(ConflictError):
        await bucket.put("source.a", b"2", first + 100)
    second = await bucket.put("source.a", b"2", first)
    assert second > first
    entry = await bucket.get("source.a")
    assert (entry.value, entry.revision) == (b"2", second)
    await bucket.put("source.b", b"", 0)

    told = bucket.watch()
    seen = {}
    async with asyncio.timeout(WAIT_S):
        while (news := await anext(told)) is not None:
            seen[news.key] = news
        assert {key: one.value for key, one in seen.items()} == {"source.a": b"2", "source.b": b""}
        assert seen["source.a"].revision == second
        with pytest.raises(ConflictError):
            await bucket.delete("source.a", first)
        await bucket.delete("source.a", second)
        gone = await anext(told)
        assert (gone.key, gone.value) == ("source.a", None)
        assert gone.revision > second
        marker = await bucket.get("source.a")
        assert (marker.value, marker.revision) == (None, gone.revision)
        with pytest.raises(ConflictError):
            await bucket.put("source.a", b"3", 0)
        third = await bucket.put("source.a", b"3", gone.revision)
        again = await anext(told)
        assert (again.value, again.revision) == (b"3", third)
    await told.aclose()


def test_one_server_keeps_leases(nats):
    async def run():
        async with opened(opener(nats().uri)) as bucket:
            await check_contract(bucket)

    asyncio.run(run())


def test_three_servers_keep_leases_and_one_may_be_killed(three_nats):
    async def run():
        async with opened(opener(three_nats.servers[0].uri)) as bucket:
            await at_last(lambda: bucket.get("x"))
            await check_contract(bucket)
            revision = await bucket.put("source.c", b"1", 0)
            three_nats.servers[0].kill()
            with pytest.raises(FleetError):
                async with asyncio.timeout(WAIT_S):
                    await bucket.until_lost()
        async with opened(opener(three_nats.uris)) as bucket:
            entry = await at_last(lambda: bucket.get("source.c"))
            assert entry.value == b"1"
            await at_last(lambda: bucket.put("source.c", b"2", revision))

    asyncio.run(run())


class Holder:
    """Listens to everything at once."""

    def __init__(self, *names, most=None):
        self.wanted = set(names)
        self.most = most
        self.listening = set()
        self.told = []

    def begin(self, name):
        self.listening.add(name)
        self.told.append(f"begin {name}")

    def end(self, name, reason):
        self.listening.discard(name)
        self.told.append(f"end {name}: {reason}")

    def is_over(self, name):
        return name not in self.listening


def worker(uris, node, holder, lease_s=12.0):
    me = Me(node, f"{node}-1", lease_s)
    loop = asyncio.get_running_loop()
    world = Surroundings(
        monotonic=loop.time,
        now=lambda: datetime.now(UTC),
        sleep=asyncio.sleep,
        chance=lambda: 0.0,
        complain=lambda kind, sentence: holder.told.append(f"{kind}: {sentence}"),
    )
    return Worker(me, holder, opener(uris, patience_s=me.beat_s / 2).open, world)


async def until(wanted, *holders):
    async with asyncio.timeout(WAIT_S):
        while not wanted():
            await asyncio.sleep(0.05)
            owned = [name for holder in holders for name in holder.listening]
            assert len(owned) == len(set(owned))


async def ended_renewals(bucket, key, before):
    """Wait until a lease was written again."""

    async def look():
        async for entry in bucket.watch():
            if entry is not None and entry.key == key and entry.revision > before.revision:
                return

    await at_last(look)


def test_workers_share_on_while_one_server_is_killed(three_nats):
    async def run():
        holders = [Holder(*(f"s{number}" for number in range(6))) for _ in range(2)]
        stop = asyncio.Event()
        workers = [
            worker(three_nats.uris, node, holder)
            for node, holder in zip(("attic", "barn"), holders, strict=True)
        ]
        running = [asyncio.create_task(one.run(stop)) for one in workers]
        await until(lambda: [len(one.listening) for one in holders] == [3, 3], *holders)
        async with opened(opener(three_nats.servers[2].uri)) as bucket:
            before = await at_last(lambda: bucket.get("source.s0"))
            three_nats.servers[1].kill()
            await ended_renewals(bucket, "source.s0", before)
            await until(lambda: [len(one.listening) for one in holders] == [3, 3], *holders)
            await until(lambda: all(one.trouble is None for one in workers), *holders)
            for holder in holders:
                holder.listening.clear()
            stop.set()
            await asyncio.gather(*running)
            for key in (*(f"source.s{number}" for number in range(6)), "worker.attic", "worker.barn"):
                assert (await at_last(lambda key=key: bucket.get(key))).value is None

    asyncio.run(run())


# What is told of servers that do not fit


def refusal(uris, **more):
    async def run():
        with pytest.raises(FleetError) as refused:
            async with opener(uris, **more).open():
                pass
        return refused.value

    told = asyncio.run(run())
    assert SECRET not in str(told)
    assert "\n" not in str(told)
    assert str(told).endswith(".")
    return told


def entered(uris, **more):
    async def run():
        async with opened(opener(uris, **more)) as bucket:
            return await bucket.get("x")

    return asyncio.run(run())


def test_a_server_without_jetstream(nats):
    told = refusal(nats(jetstream=False).uri)
    assert told.kind == "no-jetstream"
    assert "has no JetStream, where leases are kept: start it with nats-server -js" in str(told)


def test_a_server_that_is_not_there(nats):
    server = nats()
    server.kill()
    told = refusal(server.uri)
    assert "is not reached (" in str(told)


def test_a_token(nats):
    server = nats(f'authorization {{ token: "{SECRET}" }}')
    assert "refuses us: check the token" in str(refusal(server.uri))
    assert "refuses us" in str(refusal(server.uri, password=f"{SECRET}x"))
    assert entered(server.uri, password=SECRET) is None
    assert entered(server.uri.replace("//", f"//{SECRET}@")) is None


def test_a_user_and_password(nats):
    server = nats(f'authorization {{ user: ann, password: "{SECRET}" }}')
    assert "refuses us" in str(refusal(server.uri, username="ben", password=SECRET))
    assert entered(server.uri, username="ann", password=SECRET) is None
    assert entered(server.uri.replace("//", f"//ann:{SECRET}@")) is None


def test_a_user_who_may_do_too_little(nats):
    allowed = '{ publish: "_INBOX.>", subscribe: "_INBOX.>" }'
    server = nats(
        f'authorization {{ users: [{{ user: ann, password: "{SECRET}", permissions: {allowed} }}] }}'
    )
    told = refusal(server.uri, username="ann", password=SECRET)
    assert told.kind == "denied"
    assert "allows us too little (permissions violation" in str(told).lower()


@pytest.fixture
def certified(tmp_path):
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    key, certificate = tmp_path / "nats.key", tmp_path / "nats.pem"
    how = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    how += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run(how, check=True, capture_output=True)
    return certificate, key


def test_encryption(nats, certified, tmp_path):
    certificate, key = certified
    server = nats(f'tls {{ cert_file: "{certificate}", key_file: "{key}" }}')
    encrypted = server.uri.replace("nats:", "tls:")
    assert entered(encrypted, cafile=certificate) is None
    for uri in (encrypted, server.uri):
        assert "name its authority with [share] cafile" in str(refusal(uri))
    (tmp_path / "no.pem").write_text("no certificate")
    assert "cannot be used" in str(refusal(encrypted, cafile=tmp_path / "no.pem"))
    assert "cannot be used" in str(refusal(encrypted, cafile=tmp_path / "absent.pem"))
    assert "cannot be used" in str(refusal(encrypted, cafile=certificate, certfile=key))


def test_a_password_is_never_sent_in_the_open_where_tls_was_asked_for(nats):
    server = nats()
    for more in ({}, {"password": SECRET}, {"username": "ann", "password": SECRET}):
        told = refusal(server.uri.replace("nats:", "tls:"), **more)
        assert "offers no encryption, so it is told nothing" in str(told)


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"INFO {]\r\n", b"\xff" * 5000])
def test_what_is_no_nats_server(said):
    async def run():
        async def answer(reader, writer):
            writer.write(said)
            await reader.read(1)
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(FleetError) as refused:
                async with opener(f"nats://127.0.0.1:{port}").open():
                    pass
        return str(refused.value)

    told = asyncio.run(run())
    assert "\n" not in told
    assert told.endswith(".")


def test_a_bucket_that_forgets_too_early(nats):
    server = nats()
    assert entered(server.uri) is None
    told = refusal(server.uri, lease_seconds=100.0)
    assert "give [share] another fleet" in str(told)


@pytest.mark.parametrize(
    "uris",
    [
        "localhost",
        "http://host",
        "nats://",
        f"nats://ann:{SECRET}@host:port",
        f"nats://{SECRET}@host/bucket",
        "nats://host:0",
        "nats://[::1",
        "nats://a,,b",
        f"{SECRET}",
    ],
)
def test_servers_that_cannot_be_understood(uris):
    with pytest.raises(UsageError) as refused:
        servers_of(ShareSettings(servers=uris))
    assert SECRET not in str(refused.value)
    assert "cannot be understood: expected nats://HOST:PORT" in str(refused.value)


def test_what_the_first_server_says_holds_for_all():
    found = servers_of(ShareSettings(servers=f"tls://ann:{SECRET}@a,b:4333,nats://[::1]"))
    assert [one.uri for one in found] == ["tls://a:4222", "tls://b:4333", "nats://[::1]:4222"]
    assert {(one.username, one.password) for one in found} == {("ann", SECRET)}
    assert SECRET not in repr(found)
