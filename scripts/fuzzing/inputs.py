"""Inputs for fuzzing: seeds that are flipped, cut, joined, repeated and spiced, the same for a number."""

import re
from collections.abc import Callable, Sequence
from random import Random

LONGEST = 1 << 20  # bytes of an input

WORDS = (
    b"file:///etc/passwd", b"concat:/etc/passwd|/etc/hosts", b"subfile,,start,0,end,9,,:/etc/passwd",
    b"ffconcat version 1.0\nfile '/etc/passwd'\n", b"crypto:/etc/passwd", b"data:audio/wav;base64,UklGRg==",
    b"http://127.0.0.1:9/", b"rtsp://127.0.0.1:9/", b"http://[", b"//", b"../../etc/passwd", b"/etc/passwd",
    b"pipe:0", b"fd:0", b"cache:file:/etc/passwd", b"async:/etc/passwd", b"hls+file:///etc/passwd",
    b"#EXTM3U\n", b"#EXT-X-ENDLIST\n", b"#EXT-X-MAP:URI=\"file:///etc/passwd\"\n",
    b"#EXT-X-KEY:METHOD=AES-128,URI=\"file:///etc/passwd\"\n", b"#EXT-X-BYTERANGE:99999999999@0\n",
    b"[playlist]\n", b"File1=", b"<?xml version=\"1.0\"?>", b"<!DOCTYPE a [<!ENTITY b \"c\">]>", b"&b;",
    b"StreamTitle='", b"';", b"\0", b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\xc2\xb2", b"\xe2\x80\xae",
    b"\x1b]0;x\x07", b"\r\n", b"1e999", b"-1", b"NaN", b"null", b"true", b"{}", b"[]", b"\"\\ud800\"",
    b"ID3\x04\0\0\x7f\x7f\x7f\x7f", b"RIFF\xff\xff\xff\xffWAVE", b"fLaC", b"OggS", b"data\xff\xff\xff\xff",
)  # fmt: skip

NUMBERS = (b"0", b"-1", b"1", b"255", b"65536", b"2147483648", b"18446744073709551616", b"9" * 400, b"1e308")
WORDS_OF_MACHINES = (
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\xff\xff\xff\x7f",
)

Way = Callable[[Random, bytearray, Sequence[bytes]], bytearray]


def mutated(rng: Random, seeds: Sequence[bytes]) -> bytes:
    """Return a seed after up to eight changes."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((0, 1, 1, 2, 3, 8))):
        data = rng.choice(WAYS)(rng, data, seeds)[:LONGEST]
    return bytes(data)


def _span(rng: Random, data: bytearray, longest: int = 64) -> tuple[int, int]:
    first = rng.randrange(len(data) + 1)
    return first, min(len(data), first + rng.randrange(longest))


def _flip(rng: Random, data: bytearray, _: Sequence[bytes]) -> bytearray:
    for _times in range(rng.choice((1, 1, 4, 32))):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def _overwrite(rng: Random, data: bytearray, _: Sequence[bytes]) -> bytearray:
    first, _end = _span(rng, data)
    word = rng.choice((*WORDS_OF_MACHINES, rng.randbytes(rng.randrange(1, 16))))
    data[first : first + len(word)] = word
    return data


def _cut_out(rng: Random, data: bytearray, _: Sequence[bytes]) -> bytearray:
    first, end = _span(rng, data, rng.choice((4, 64, len(data) + 1)))
    del data[first:end]
    return data


def _cut_off(rng: Random, data: bytearray, _: Sequence[bytes]) -> bytearray:
    return data[: rng.randrange(len(data) + 1)]


def _join(rng: Random, data: bytearray, seeds: Sequence[bytes]) -> bytearray:
    other = rng.choice(seeds)
    first = rng.choice((0, rng.randrange(len(other) + 1)))
    return data[: rng.randrange(len(data) + 1)] + other[first:]


def _repeat(rng: Random, data: bytearray, _: Sequence[bytes]) -> bytearray:
    first, end = _span(rng, data)
    piece = data[first:end] * rng.choice((2, 2, 10, 100, 5_000))
    return data[:first] + piece[:LONGEST] + data[end:]


def _insert(rng: Random, data: bytearray, _: Sequence[bytes]) -> bytearray:
    first = rng.randrange(len(data) + 1)
    return data[:first] + rng.choice((*WORDS, rng.randbytes(rng.randrange(1, 64)))) + data[first:]


def _renumber(rng: Random, data: bytearray, _: Sequence[bytes]) -> bytearray:
    found = list(re.finditer(rb"\d+", data[:4096]))
    if found:
        first, end = rng.choice(found).span()
        data[first:end] = rng.choice(NUMBERS)
    return data


WAYS: tuple[Way, ...] = (_flip, _overwrite, _cut_out, _cut_off, _join, _repeat, _insert, _renumber)
