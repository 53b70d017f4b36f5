"""The daemon: sources → engine → sinks, supervised.

Each source has a task of its own, an engine of its own and a queue between the two. `service.listen` opens
everything else around them. `docs/service.md` says what a user sees of all this.

**Live policy.** The queue (`capture.queue.BlockQueue`) holds `QUEUE_S` = 30 s of audio. A live source never
waits: when the engine falls behind by more than that, the oldest audio is dropped, and the block after
it says how much (`gap_s`) and that it does not continue what came before (`discontinuity`). Everything
else (files, pipes) waits for the engine, and nothing is dropped. What an overrun cost, in the queue or in
a device, is summed up in `dropped_s` of the status events; what an outage cost, in `outage_s`. What is
missing in a stream itself is in neither: only the gap tells it.

**Gaps.** The engine is told of every gap and resets its history; nothing is matched across one. When a
live source is lost, its engine is flushed, so that every match that has started gets its end at the loss
and not when the source comes back; it then begins anew with an engine without history. `stream_s`
counts on over both, and the time of hearing is taken anew.

**Losses.** A live source that ends, breaks off, raises anything at all, or delivers nothing for `LOST_S` is
opened again. `retry.Retry` has the waits. It fails only if it has never run and says that it never will. A
recording that breaks has failed, after what was heard of it. An engine that breaks is replaced; the source
stays open, and the next engine goes on where the last one broke. A recording on which
`GIVE_UP_AFTER_BREAKS` engines break in a row fails. When every source has ended, so does the service.

**Time.** Durations are monotonic. The wall clock only names moments, by how it is set when they are named.

**The end.** On a signal, capture stops, what waits in the queues is not heard any more, the engines are
flushed and the sinks have `FLUSH_S` to deliver. An `ended` is never dropped.

**Events.** With a folder for `state`, every event but single sounds is written down first (`journal`), and
goes out from there (`bus`): to sinks, and to whoever subscribes, such as the page. What a killed process left
open is ended by the next one (`orphans`). A disk that fails is told; listening goes on from memory
(`scribe`).

**Another catalogue.** Sources with the same index share one. When the folder has a newer generation, it is
loaded once, in a thread of its own, and every engine takes it up between two pieces of audio; at once where a
source is silent. What cannot be loaded is refused, and the catalogue of before serves on.

**Other settings.** A reload reads them anew. Sources that did not change go on untouched. One that is only
listened to for something else stays open and goes on with another engine, between two pieces of audio. One
that is opened otherwise ends and begins anew. Whatever is wrong is found before anything is changed.

**Shared sources.** With other listeners of the same settings, each source is heard by one of them. `sharing`
begins a source when `stream_match.fleet` has its lease, and ends it before the lease is over. The service
goes on while it has no source.

**What is asked for.** The control room (`control`) pauses sources, names what they hear, says what nearly
matched, makes stretches references of the index (`marking`), and reloads. Requests over MQTT (`requests`,
offered by `house`) and the page come to it. A source that is paused is closed; what is not live would begin
anew, and is let pass unheard.

**Audio that is kept.** Nothing is kept unless the settings say so. Then the newest audio of each source is in
memory, and clips of matches and first sounds are written by a task of their own (`clip_keeper`). Recordings
wait when it falls behind; live sources never do.

**Health.** Each number is counted where it happens; `health` gathers them into one value. The page,
`/healthz`, `/metrics`, the request and the service manager (`notify`) all read that one. `hints` says why
nothing may be detected. The service manager gets signs of life, except while a restart would help
(`liveness`).

**The page.** `page` lends `stream_match.web` what it shows. It is a subscriber of the bus and a caller of the
control room. The service goes on without it.

**What was learnt.** The clusters of a source's sounds go from one engine to the next, over gaps and losses;
with a folder for `state` they are written down every `KEEP_EVERY_S` and at the end, and read at the start.
Who hears waits for no disk: a task beside it writes (`memory_keeper`). What may hang has a thread of its own,
and what hangs for one purpose stops no other (`beside`).

The states of a source, and which may follow which, stand in `service.states`.

"""

from stream_match.service.catalogue import CurrentCatalogue, FolderOrigin, Origin
from stream_match.service.control import Powers
from stream_match.service.hearing import Hear, Hearing, always
from stream_match.service.listen import FLUSH_S, listen
from stream_match.service.report import Report
from stream_match.service.world import EnginePort, World

__all__ = [
    "FLUSH_S",
    "CurrentCatalogue",
    "EnginePort",
    "FolderOrigin",
    "Hear",
    "Hearing",
    "Origin",
    "Powers",
    "Report",
    "World",
    "always",
    "listen",
]
