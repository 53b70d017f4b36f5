"""Collections that nobody has, for their reports."""

import numpy as np

from stream_match.descriptors.sets import SETS
from stream_match.offline.reports.tracks import Tracks
from stream_match.offline.tables.formats import write_csv

GENRES = ("ambient", "brass", "chorale", "drone", "études", "folk")

HOSTILE = (
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    "\"'><svg onload=alert(3)>",
    "a\u2028b\u2029c",
    "<!-- <script>",
    "javascript:alert(4)",
    "${alert(5)} `x` \\u003c \\",
    "$\\frac{a}$ & &amp; \u202eevil",
)


def made_up(n, seed=0, sets=("gtzan",)):
    """Descriptors of made-up tracks in six clusters; those of each cluster differ in ten directions."""
    rng = np.random.default_rng(seed)
    group = np.arange(n) % len(GENRES)
    found = {}
    for name in sets:
        d = len(SETS[name].columns)
        spread = rng.standard_normal((10, d))
        table = 4 * rng.standard_normal((len(GENRES), d))[group] + rng.standard_normal((n, 10)) @ spread
        if name == "gtzan":
            columns = SETS[name].columns
            table[:, columns.index("rms_mean")] = 10 ** (-rng.uniform(5, 45, n) / 20)
            table[:, columns.index("tempo")] = np.round(rng.uniform(60, 200, n), 1)
        found[name] = table
    return found, group


def made_up_tracks(n, *, ids=None, titles=None, files=None, seed=0, sets=("gtzan",)):
    found, group = made_up(n, seed, sets)
    ids = tuple(ids or (f"{GENRES[g]}/track {number:05}" for number, g in enumerate(group)))
    return Tracks(
        name="made up",
        ids=ids,
        titles=tuple(titles or (f"Piece {number} in {'ABCDEFG'[number % 7]}" for number in range(n))),
        artists=tuple(f"The {GENRES[number % 6].title()} Players" for number in range(n)),
        groups=tuple(GENRES[g] for g in group),
        grouped_by="genre",
        files=files or {},
        sets=found,
        copies=None,
        false_scores={},
        left_out=0,
    )


def write_table(path, n, *, ids=None, values=None, seed=0):
    columns = SETS["gtzan"].columns
    table = made_up(n, seed)[0]["gtzan"] if values is None else values
    names = ids or [f"album{number % 3}/track{number}" for number in range(n)]
    write_csv(path, columns, zip(names, table, strict=True), {})
    return path
