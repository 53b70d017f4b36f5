"""Several listeners that share sources: each source is heard by one of them at a time.

Each listener of a fleet (a *worker*) has the same settings. Which worker hears which source stands in a
bucket of keys and values that NATS JetStream keeps. There is no leader.

**Lease.** The key ``source.NAME`` names the worker that hears a source. Its value is a lease. The worker
writes it anew each beat. Every write is a compare-and-set by revision: it succeeds only if nobody else has
written meanwhile. So two workers cannot take one source, and a stolen lease is noticed at the next beat.

**Ends.** A lease counts for `lease_s` after it was last written. Its worker counts from the moment *before*
it sent that write, and ends the source one beat before the lease is over. All others count from the moment
*after* they saw the write. So the source is over here before it may begin elsewhere. Both count with their
own monotonic clocks: no clock of a worker or server is compared with another one. The bucket drops what
nobody has written for long, by the clock of its servers. That only tidies up.

**One beat.** A process that was frozen, or a server that loses acknowledged writes, can break this. Then two
workers hear a source until the former one renews: for one beat at most.

**Presence.** The key ``worker.NODE`` is a lease on the name of a node. It says how many sources the worker
takes at most, and for which sources it asks.

**Spread.** Each worker reckons from all presences how many sources each should have (`spread`). A worker that
has fewer takes those that are free. If none is free, it asks for some of a worker that has more. That worker
ends them in order, and then writes the lease over to who asked. Nothing is given up for a worker that did
not ask. What is free for a lease although somebody should take it, anybody with room takes.

The logic knows no network and no clock of its own (`keeper`, `table`, `spread`, `worker`). `link`
connects and listens; `jetstream` has every name of nats-py.
"""
