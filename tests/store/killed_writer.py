"""A process that writes a store for ever, and says on standard output what it knows to be written.

Run as: killed_writer.py FOLDER FIRST. Every tenth row it sets a memory of sounds, and now and then it prunes.
"""

import sys
from pathlib import Path

from store_samples import KINDS, NOW, row

from stream_match.store.event_store import Store
from stream_match.store.opening import FILE
from stream_match.store.retention import Limits
from stream_match.store.rows import Batch
from stream_match.store.sounds import SoundShelf


def main(folder: str, first: int) -> None:
    store = Store(Path(folder) / FILE, Limits(bytes=3_000_000))
    store.open()
    sys.stdout.write("open\n")
    sys.stdout.flush()
    number = first
    while True:
        size = 1 + number % 5
        batch = [row(n, KINDS[n % len(KINDS)], source=f"s{n % 3}") for n in range(number, number + size)]
        store.write(Batch(batch, {"mqtt": number}, {(number % 7, "a", "C"): size}))
        number += size
        sys.stdout.write(f"{number - 1}\n")
        sys.stdout.flush()
        if number % 10 == 0:
            SoundShelf(store, "a").write("P", str(number))
        if number % 50 == 0:
            store.prune(NOW, None)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
