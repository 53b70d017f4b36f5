"""The daemon: sources → engine → sinks, supervised.

Each source has a task of its own, an engine of its own and a queue between the two.

**Live policy.** The queue (`capture.queue.BlockQueue`) holds `QUEUE_S` = 30 s of audio. A live source never
waits: when the engine falls behind by more than that, the oldest audio is dropped, and the block after
it says how much (`gap_s`) and that it does not continue what came before (`discontinuity`). Everything
else (files, pipes) waits for the engine, and nothing is dropped. What was dropped, in the queue or
before it, and how long a live source was away, is summed up in `dropped_s` of the status events.

**Gaps.** The engine is told of every gap and resets its history; nothing is matched across one. When a
live source is lost, its engine is flushed, so that every match that has started gets its end at the loss
and not when the source comes back; it then begins anew with an engine without history. `stream_s`
counts on over both, and the time of hearing is taken anew.

**Losses.** A live source that ends, breaks off, or delivers nothing for `LOST_S` is opened again, after 1 s
at first, up to 5 min later on. What can never work is `failed`, and the others go on. An error in an
engine fails its source alone. When every source has ended, so does the service.

**The end.** On a signal, capture stops, what waits in the queues is not heard any more, the engines are
flushed and the sinks have `FLUSH_S` to deliver. An `ended` is never dropped.

**What was learnt.** The clusters of a source's sounds go from one engine to the next, over gaps and losses;
with a folder for `state` they are written down every `KEEP_EVERY_S` and at the end, and read at the start.

The states of a source, and which may follow which, stand in `service.states`.
"""

from stream_match.service.listen import FLUSH_S, listen
from stream_match.service.report import Report
from stream_match.service.world import EnginePort, World

__all__ = ["FLUSH_S", "EnginePort", "Report", "World", "listen"]
