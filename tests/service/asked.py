"""A listener in memory that is asked for things while it listens."""

import asyncio
import json

from service_fakes import MemorySink, ToyEngine, hear

from stream_match.events import ClusterFacts, OnsetClusterFacts


class AskingSink(MemorySink):
    """Takes events, and hands requests in as a broker does."""

    def serve(self, offer):
        self.offer = offer
        self.told_again = 0

    def tell_again(self):
        self.told_again += 1

    async def ask(self, request, /, **content):
        """Ask; return the answer, whole."""
        return json.loads(await self.offer.answer(request, json.dumps(content).encode()))

    def retained(self):
        return {message.topic: message.payload for message in self.offer.retained("base")}


class AskedEngine(ToyEngine):
    """Says what nearly matched, and notes what it is told to put up with."""

    def __init__(self, budgets):
        super().__init__()
        self._budgets = budgets

    def put_up_with(self, max_false_alarms_per_hour):
        self._budgets.append(max_false_alarms_per_hour)

    def near_misses(self):
        return [Miss(self._facts("started"), self.stream_s)]


class Miss:
    lane, rejection, why = "recording", "score", "Its score is below the threshold."

    def __init__(self, facts, stream_s):
        self.facts, self.stream_s = facts, stream_s


class ClusterEngine:
    """Says, once each, what is appended to `facts` while it listens."""

    def __init__(self, facts):
        self._facts = facts

    def feed(self, y, **_):
        if not y.size:
            return []
        said, self._facts[:] = [*self._facts], []
        return said

    def flush(self):
        return []


def onset(cluster, at_s=0.0):
    return OnsetClusterFacts(
        onset_id=f"o{at_s:g}",
        onset_s=at_s,
        stream_s=at_s,
        strength=3.0,
        cluster_id=cluster,
        cluster_size=1,
        distance=0.0,
        doubt=0.0,
        new_cluster=False,
        features={},
    )


def merged(left, *gone, at_s=0.0):
    return ClusterFacts(change="merged", cluster_id=left, from_=gone, cluster_size=2, stream_s=at_s)


def asked(world, script, *sources, sink=None, **more):
    """Listen to sources while `script(sink)` runs; it ends when that has returned."""
    sink = sink or AskingSink()

    async def work():
        stop = asyncio.Event()

        async def ask():
            try:
                await asyncio.sleep(2.0)
                return await script(sink)
            finally:
                stop.set()

        asking = asyncio.create_task(ask())
        report, events = await hear(world, *sources, sinks=[sink], stop=stop, **more)
        return await asking, events, report

    return work()
