"""What fuzzing starts from: one good specimen of everything that is read."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import soundfile

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.demo import PIECES, render
from stream_match.events import from_json, known_schemas, to_json
from stream_match.store.event_store import Store
from stream_match.store.names import NameShelf
from stream_match.store.opening import FILE
from stream_match.store.pauses import PauseShelf
from stream_match.store.rows import Batch, Row
from stream_match.store.sounds import SoundShelf

CLIP_S = 2.0

EVENT: dict[str, Any] = {
    "event_id": "01H", "node": "attic", "source": "kitchen", "time": "2026-01-02T20:15:00Z", "stream_s": 1.5,
}  # fmt: skip
TRACK = {"id": "a/b", "title": 'Müß\'; "x"', "artist": "Artist", "album": None}
EVENTS: tuple[dict[str, Any], ...] = (
    {
        **EVENT, "schema": "stream_match.match/1", "type": "match", "phase": "started", "match_id": "m1",
        "event_type": "match_started", "started_s": 0.0, "ended_s": None, "track": TRACK, "kind": "recording",
        "reference_s": 83.0, "speed": 1.0, "semitones": 0.0, "score": 12.0, "confidence": 0.97,
        "false_alarms_per_hour": 0.01,
        "evidence": {"faiss_votes": 9, "lsh_votes": 7, "similarity": 0.8, "coverage": 0.9},
    },
    {
        **EVENT, "schema": "stream_match.status/1", "type": "status", "state": "running", "reason": None,
        "attempt": 0, "dropped_s": 0.0, "level_dbfs": -20.5, "stream_metadata": {"StreamTitle": "x"},
    },
    {
        **EVENT, "schema": "stream_match.onset_cluster/1", "type": "onset_cluster",
        "event_type": "onset_cluster",
        "onset_id": "o1", "onset_s": 1.0, "strength": 9.5, "cluster_id": "R-3", "cluster_size": 4,
        "distance": 0.1,
        "features": {"zero_crossings": 0.1}, "new_cluster": False, "doubt": 0.1,
    },
    {
        **EVENT, "schema": "stream_match.cluster/1", "type": "cluster", "event_type": "cluster_merged",
        "change": "merged", "cluster_id": "R-3", "from": ["R-4"], "cluster_size": 5,
    },
    {**EVENT, "schema": "stream_match.match/9", "type": "match"},
)  # fmt: skip

PAYLOADS = (
    *(json.dumps(event).encode() for event in EVENTS),
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b"offline",
    b"",
)

REQUESTS = tuple(
    json.dumps({"transaction": 1, "source": "kitchen", **content}).encode()
    for content in (
        {},
        {"paused": False},
        {"cluster": "R-1", "name": "doorbell"},
        {"track": "a/b", "name": "Jingle"},
        {"max_false_alarms_per_hour": 0.5},
        {"name": "Jingle", "last_seconds": 12.0},
        {"name": "Jingle", "from_s": 1.0, "to_s": 2.0, "transaction": "t"},
    )
)

HEADERS = (
    b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nicy-metaint: 16000\r\nicy-name: Caf\xc3\xa9 FM\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nicy-metaint:\xb2\r\nicy-genre:x\r\nicy-description:x\r\nContent-Length: 99\r\n\r\n",
    b"ICY 200 OK\r\nicy-notice1:<BR>\r\nicy-name:\xcf\xf0\xe8\xe2\xe5\xf2\r\nicy-metaint:8192\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
    b'HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm="x", nonce="y", qop="auth"\r\n\r\n',
)
TITLES = tuple(
    bytes([-(-len(text) // 16)]) + text.ljust(-(-len(text) // 16) * 16, b"\0")
    for text in (
        b"StreamTitle='Artist - Title';StreamUrl='http://x/';",
        b"StreamTitle='It's a Sin';'; more';StreamUrl='';",
        b"StreamTitle='\xcf\xf0\xe8\xe2\xe5\xf2';",
        b"StreamTitle='caf\xc3\xa9",
        b"",
    )
)
PLAYLISTS = (
    b"[playlist]\nNumberOfEntries=2\nFile1=http://127.0.0.1:9/a\nTitle1=A\nFile2=https://x.example/b\n",
    b"#EXTM3U\n#EXTINF:-1,Radio\nhttp://127.0.0.1:9/a\nb.mp3\nrtsp://x.example/c\n",
    b"""<?xml version="1.0" encoding="UTF-8"?>
<playlist version="1" xmlns="http://xspf.org/ns/0/"><trackList>
<track><location>http://127.0.0.1:9/a</location></track><track><location>b.ogg</location></track>
</trackList></playlist>""",
    b'<asx version="3.0"><entry><ref href="http://127.0.0.1:9/a"/></entry></asx>',
    b"[Reference]\nRef1=http://127.0.0.1:9/a\nRef2=mms://x.example/b\n",
)
HLS = (
    b"""#EXTM3U
#EXT-X-VERSION:3
#EXT-X-TARGETDURATION:1
#EXT-X-MEDIA-SEQUENCE:0
#EXTINF:1.0,
a.ts
#EXTINF:1.0,
http://127.0.0.1:9/b.bin
#EXT-X-ENDLIST
""",
    b"""#EXTM3U
#EXT-X-TARGETDURATION:1
#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x00000000000000000000000000000001
#EXTINF:1,
a.ts
#EXT-X-DISCONTINUITY
#EXTINF:1,
b.ts
#EXT-X-ENDLIST
""",
    b"""#EXTM3U
#EXT-X-TARGETDURATION:1
#EXT-X-MAP:URI="i.mp4"
#EXT-X-BYTERANGE:1000@0
#EXTINF:1,
a.ts
#EXT-X-ENDLIST
""",
    b"""#EXTM3U
#EXT-X-STREAM-INF:BANDWIDTH=64000,CODECS="mp4a.40.2"
low.m3u8
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x",URI="audio.m3u8"
""",
)


def stores() -> tuple[bytes, ...]:
    """Return a store with events of each kind, and one without any."""
    told = [from_json(json.dumps(event)) for event in EVENTS if event["schema"] in known_schemas()]
    named = [event.model_copy(update={"event_id": f"{number:026}"}) for number, event in enumerate(told * 5)]
    rows = [Row(seq, event, to_json(event)) for seq, event in enumerate(named, 1)]
    return tuple(_store(batch) for batch in (Batch(rows, {"far": 3}, {(1, "kitchen", "R-3"): 2}), Batch()))


def _store(batch: Batch) -> bytes:
    with TemporaryDirectory() as folder:
        store = Store(Path(folder) / FILE)
        store.open()
        store.write(batch)
        SoundShelf(store, "kitchen").write("P", "{}")
        PauseShelf(store).keep("hall", paused=True)
        NameShelf(store).write({("kitchen", "cluster", "R-3"): "doorbell"})
        store.close()
        return (Path(folder) / FILE).read_bytes()


def music(paths: Sequence[Path]) -> list[np.ndarray[Any, np.dtype[np.float32]]]:
    """Return a clip of each recording; of the demo's music where there is none."""
    if not paths:
        return [render(piece)[: round(CLIP_S * SAMPLE_RATE_HZ)] for piece in PIECES[:2]]
    clips = []
    for path in paths:
        y, rate_hz = soundfile.read(path, dtype="float32", frames=round(CLIP_S * 48_000))
        clips.append((y if y.ndim == 1 else y[:, 0])[: round(CLIP_S * rate_hz)])
    return clips


def encoded(y: np.ndarray[Any, np.dtype[np.float32]], form: str, subtype: str, channels: int = 1) -> bytes:
    """Return a clip as a file with tags."""
    written = io.BytesIO()
    wide = np.repeat(y[:, np.newaxis], channels, axis=1)
    with soundfile.SoundFile(written, "w", 48_000, channels, subtype=subtype, format=form) as handle:
        handle.title, handle.artist, handle.album = "Café", "Привет", "x" * 40
        handle.write(wide)
    return written.getvalue()


def transport_stream(y: np.ndarray[Any, np.dtype[np.float32]]) -> bytes:
    """Return a clip as a segment of HLS."""
    import av

    written = io.BytesIO()
    with av.open(written, "w", format="mpegts") as container:
        stream = container.add_stream("mp2", rate=48_000)
        frame = av.AudioFrame.from_ndarray((y * 32_767).astype(np.int16)[np.newaxis], "s16", "mono")
        frame.sample_rate = 48_000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return written.getvalue()
