"""Readers that do each of the things that fuzzing looks for: whoever watches must tell them all."""

import ctypes
import os
import time
from pathlib import Path

from fuzzing.targets import Target

CANARY = "/etc/hostname"


def _fails(_data: bytes, _folder: Path, _number: int) -> None:
    raise KeyError("a fault of ours")


def _crashes(_data: bytes, _folder: Path, number: int) -> None:
    if number == 1:
        ctypes.string_at(0)


def _works_for_long(_data: bytes, _folder: Path, number: int) -> None:
    begun = time.process_time()
    while number == 1 and time.process_time() < begun + 6.0:
        pass


def _waits_for_ever(_data: bytes, _folder: Path, number: int) -> None:
    time.sleep(600.0 if number == 1 else 0.0)


def _grows(_data: bytes, _folder: Path, number: int) -> None:
    if number == 1:
        bytearray(b"x") * (400 << 20)


def _opens(_data: bytes, _folder: Path, _number: int) -> None:
    Path(CANARY).read_bytes()


def _opens_below(_data: bytes, _folder: Path, number: int) -> None:
    if number:  # Python does not see it, as it does not see what FFmpeg opens
        libc = ctypes.CDLL(None)
        os.close(libc.open(CANARY.encode(), os.O_RDONLY))


READERS = (_fails, _crashes, _works_for_long, _waits_for_ever, _grows, _opens, _opens_below)
CONTROLS = {
    reader.__name__.strip("_").replace("_", "-"): Target((b"x",), lambda reader=reader: reader, native=True)  # type: ignore[misc]
    for reader in READERS
}
