"""The table of tests names tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
TABLE = (ROOT / "tests" / "README.md").read_text(encoding="utf-8")


def named():
    """Yield file and test of each mention; `::name` alone is of the file named before it."""
    file = None
    for path, name in re.findall(r"((?:tests|scripts)/[\w/]+\.py)?(?:::(\w+))?", TABLE):
        if path:
            file = path
        if path or name:
            yield file, name


def test_every_test_of_the_table_exists():
    mentions = list(named())
    assert len(mentions) > 100
    missing = [
        f"{file}::{name}"
        for file, name in mentions
        if not (ROOT / file).is_file()
        or (name and f"def {name}(" not in (ROOT / file).read_text(encoding="utf-8"))
    ]
    assert missing == []
