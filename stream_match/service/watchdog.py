"""Silence of a line, noticed where audio arrives: a slow engine is no silence."""

import asyncio
from collections.abc import Awaitable, Callable

from stream_match.capture.base import Source
from stream_match.capture.queue import BlockQueue
from stream_match.errors import SourceError
from stream_match.service import states
from stream_match.service.world import World


async def watch(
    queue: BlockQueue,
    source: Source,
    intake: "asyncio.Task[None]",
    stalled: Callable[[str], Awaitable[None]],
    world: World,
) -> None:
    """Tell when no audio arrives, until the queue is closed; give up a line that stays silent.

    Parameters
    ----------
    queue : BlockQueue
        Where the audio arrives; closed here when the source is given up.
    source : Source
        Only one that is live or comes over the network is given up: a pipe may be silent for as long as
        its writer likes.
    intake : asyncio.Task
        Fills the queue; cancelled when the source is given up.
    stalled : coroutine function (str)
        Told of silence, with the reason, every now and then while it lasts.
    world : World
        Sleep.
    """
    while not queue.closed:
        silent_s = queue.silent_s
        if silent_s >= states.STALL_S:
            await stalled(f"no audio for {silent_s:.0f} s")
        if silent_s >= states.LOST_S and is_watched(source):
            queue.close(SourceError(f"{source.uri} {_silence(queue, silent_s)}", retry=True))
            intake.cancel()
            return
        due_s = states.STALL_S if silent_s < states.STALL_S else states.LOST_S
        await world.sleep(max(due_s - silent_s, 1.0))


def is_watched(source: Source) -> bool:
    """Whether a source is given up when it is silent for too long."""
    return source.live or "://" in source.uri


def _silence(queue: BlockQueue, silent_s: float) -> str:
    if queue.any_arrived:
        return f"has delivered nothing for {silent_s:.0f} s"
    return f"has delivered nothing within {silent_s:.0f} s of being opened"
