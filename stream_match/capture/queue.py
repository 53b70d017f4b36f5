"""The bounded queue between a source and the engine, measured in seconds of audio."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from stream_match.capture.base import SAMPLE_RATE_HZ, Block
from stream_match.errors import ParameterError

QUEUE_S = 30.0
"""Audio that may wait. Servers send in bursts which are no lateness of ours: a segment of HLS (6 to 10 s)
comes at once, an Icecast server opens with 64 kB (16 s at 32 kbit/s). In memory it is 2.6 MB."""

MOST_AT_ONCE = SAMPLE_RATE_HZ
"""Samples that are taken in one. An engine that is late catches up: one second costs it a third less
than ten tenths of one."""


@dataclass
class _Waiting:
    """A block in the queue and the samples that were dropped just before it."""

    block: Block
    lost: int = 0

    @property
    def only_goes_on(self) -> bool:
        """Whether nothing is to be said of it but how it sounds."""
        block = self.block
        return not (self.lost or block.gap_s or block.discontinuity or block.metadata)

    def leave(self) -> Block:
        if not self.lost:
            return self.block
        # In samples until here, so that many small drops add up exactly.
        lost_s = self.lost / SAMPLE_RATE_HZ
        gap_s, overrun_s = self.block.gap_s + lost_s, self.block.overrun_s + lost_s
        return replace(self.block, gap_s=gap_s, overrun_s=overrun_s, discontinuity=True)


class BlockQueue:
    """Hold blocks in order; when full, drop the oldest audio, count it and mark the gap.

    Belongs to one event loop and is not safe between threads.

    Parameters
    ----------
    capacity_s : float, > 0 [seconds]
        Audio that it holds at most.
    clock : callable () -> float
        Monotonic seconds.

    Raises
    ------
    ParameterError
        If `capacity_s` is not above 0.
    """

    def __init__(self, capacity_s: float = QUEUE_S, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._capacity = round(capacity_s * SAMPLE_RATE_HZ) if capacity_s > 0 else 0
        if self._capacity < 1:
            raise ParameterError(f"capacity_s is {capacity_s}; expected more than 0 seconds")
        self._waiting: deque[_Waiting] = deque()
        self._buffered = 0
        self._dropped = 0
        self._closed_at: float | None = None
        self._error: BaseException | None = None
        self._readable = asyncio.Event()
        self._room = asyncio.Event()
        self._clock = clock
        self._made = clock()
        self._arrived: float | None = None
        self._writer_waits = False
        self._begun = False

    @property
    def dropped_s(self) -> float:
        """Audio dropped so far, in seconds."""
        return self._dropped / SAMPLE_RATE_HZ

    @property
    def buffered_s(self) -> float:
        """Audio waiting now, in seconds."""
        return self._buffered / SAMPLE_RATE_HZ

    @property
    def silent_s(self) -> float:
        """Seconds since audio last arrived, or since the queue was made; 0 while a block waits for room."""
        since = self._made if self._arrived is None else self._arrived
        return 0.0 if self._writer_waits else self._clock() - since

    @property
    def closed(self) -> bool:
        """Whether no more comes."""
        return self._closed_at is not None

    @property
    def closed_s(self) -> float:
        """Seconds since the queue was closed; 0 if it is open."""
        return 0.0 if self._closed_at is None else self._clock() - self._closed_at

    @property
    def any_arrived(self) -> bool:
        """Whether any audio has arrived."""
        return self._arrived is not None

    def put_nowait(self, block: Block) -> None:
        """Add a block of a live source; what no longer fits is dropped, oldest first.

        Parameters
        ----------
        block : Block
            The next audio. If it alone is longer than the queue, only its end is kept.
        """
        self._append(block)
        while (excess := self._buffered - self._capacity) > 0:
            self._drop(excess)
        self._readable.set()

    async def put(self, block: Block) -> None:
        """Add a block of a source that can wait; nothing is dropped.

        Parameters
        ----------
        block : Block
            The next audio. One longer than the queue is let in when the queue is empty.
        """
        while self._buffered and self._buffered + block.y.size > self._capacity:
            self._room.clear()
            await self._wait_for_room()
        self._append(block)
        self._readable.set()

    async def _wait_for_room(self) -> None:
        self._writer_waits = True
        try:
            await self._room.wait()
        finally:
            self._writer_waits = False

    def close(self, error: BaseException | None = None) -> None:
        """Say that no more comes; what waits can still be taken. The first close is the one that counts.

        Parameters
        ----------
        error : BaseException, optional
            Raised to the reader after the last block.
        """
        if self._closed_at is None:
            self._closed_at, self._error = self._clock(), error
        self._readable.set()

    async def get(self) -> Block | None:
        """Wait for the next block and take it.

        Returns
        -------
        Block or None
            The oldest block; None at the end. If there is nothing to say of it, what waits behind it and
            goes on with it is joined to it, up to `MOST_AT_ONCE` samples. The first audio comes alone, as
            does a block with a gap or metadata: when a state or a title is told does not depend on how
            late the reader is.
        """
        while not self._waiting:
            if self.closed:
                if self._error is not None:
                    raise self._error
                return None
            self._readable.clear()
            await self._readable.wait()
        taken = self._waiting.popleft()
        block = taken.leave()
        following = self._following(block.y.size) if self._begun and taken.only_goes_on else []
        self._begun |= block.y.size > 0
        self._buffered -= block.y.size + sum(y.size for y in following)
        self._room.set()
        return replace(block, y=np.concatenate([block.y, *following])) if following else block

    def _following(self, size: int) -> list[npt.NDArray[np.float32]]:
        """Take what waits behind a block of this size and only goes on with it."""
        following: list[npt.NDArray[np.float32]] = []
        while self._waiting and self._waiting[0].only_goes_on:
            size += self._waiting[0].block.y.size
            if size > MOST_AT_ONCE:
                break
            following.append(self._waiting.popleft().block.y)
        return following

    def __aiter__(self) -> "BlockQueue":
        return self

    async def __anext__(self) -> Block:
        block = await self.get()
        if block is None:
            raise StopAsyncIteration
        return block

    def _append(self, block: Block) -> None:
        self._waiting.append(_Waiting(block))
        self._buffered += block.y.size
        if block.y.size:
            self._arrived = self._clock()
        # Blocks that carry no audio take no room: they join the next one, lest they pile up.
        if len(self._waiting) > 1 and not self._waiting[-2].block.y.size:
            self._merge_forward(len(self._waiting) - 2)

    def _drop(self, excess: int) -> None:
        oldest = self._waiting[0]
        n = min(excess, oldest.block.y.size)
        oldest.block = replace(oldest.block, y=oldest.block.y[n:])
        oldest.lost += n
        self._dropped += n
        self._buffered -= n
        if not oldest.block.y.size and len(self._waiting) > 1:
            self._merge_forward(0)

    def _merge_forward(self, index: int) -> None:
        """Give what an emptied block still says to the one after it."""
        gone, heir = self._waiting[index], self._waiting[index + 1]
        heir.lost += gone.lost
        heir.block = replace(
            heir.block,
            gap_s=gone.block.gap_s + heir.block.gap_s,
            overrun_s=gone.block.overrun_s + heir.block.overrun_s,
            discontinuity=gone.block.discontinuity or heir.block.discontinuity,
            metadata={**gone.block.metadata, **heir.block.metadata},
        )
        del self._waiting[index]
