"""Draw the life cycle of a match as the tables that docs/recordings.md shows.

Run it as .venv/bin/python scripts/draw_lifecycle.py; the Markdown goes to the screen.
"""

from collections.abc import Iterator

from stream_match.match.tracking.lifecycle import TRANSITIONS, State, Transition
from stream_match.match.tracking.trace import REASONS


def main() -> None:
    """Print the tables."""
    print("\n\n".join("\n".join(table) for table in tables()))


def tables() -> Iterator[list[str]]:
    """Return the states, the transitions and the reasons of rejection, as lines of Markdown."""
    yield ["| state | meaning |", "|---|---|", *(f"| {state.name} | {state.value} |" for state in State)]
    merged: dict[tuple[str, str, str], list[str]] = {}
    for row in TRANSITIONS:
        merged.setdefault(_right_of(row), []).append(row.state.name if row.state else "(none)")
    rows = (f"| {', '.join(states)} | {' | '.join(right)} |" for right, states in merged.items())
    yield ["| state | what happens | then | told |", "|---|---|---|---|", *rows]
    yield ["| rejected | because |", "|---|---|", *(f"| {name} | {why} |" for name, why in REASONS.items())]


def _right_of(row: Transition) -> tuple[str, str, str]:
    following = "the same" if row.state is row.following else row.following.name
    return row.cue.value, following, f"`{row.phase}`" if row.phase else "nothing"


if __name__ == "__main__":
    main()
