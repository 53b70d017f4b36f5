"""What errors say: words for a person, and never the number of an error of the system."""

import ast
import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest

from stream_match.errors import install_command, words_of
from stream_match.publish.policy import cause
from stream_match.service.reasons import reason_of

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "stream_match"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = set(PROJECT["optional-dependencies"]) - {"dev"}
OF_THE_SYSTEM = {
    "OSError", "ConnectionError", "ConnectionRefusedError", "ConnectionResetError", "TimeoutError",
    "FileNotFoundError", "PermissionError", "BrokenPipeError", "InterruptedError",
}  # fmt: skip


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (FileNotFoundError(2, "No such file or directory", "/no"), "No such file or directory: '/no'"),
        (
            FileNotFoundError(2, "No such file or directory", b"/n\xff"),
            r"No such file or directory: '/n\udcff'",
        ),
        (PermissionError(13, "Permission denied", 7), "Permission denied"),
        (OSError("PortAudio library not found"), "PortAudio library not found"),
        (OSError(), ""),
        (ValueError("[Errno 2] is no number"), "[Errno 2] is no number"),
    ],
)
def test_words_of_an_error(error, said):
    assert words_of(error) == said


def test_reasons_have_no_numbers():
    error = ConnectionRefusedError(111, "Connection refused")
    assert reason_of(error) == "ConnectionRefusedError: Connection refused"
    assert cause(error)[1] == "It failed unexpectedly (ConnectionRefusedError: Connection refused)."


def caught(handler):
    """The names of what a handler catches."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return {kind.id for kind in kinds if isinstance(kind, ast.Name)}


def told_as_they_are(tree):
    """Lines in which an error of the system becomes text as it is."""
    for handler in ast.walk(tree):
        if not isinstance(handler, ast.ExceptHandler) or not handler.name or handler.type is None:
            continue
        if not caught(handler) & OF_THE_SYSTEM:
            continue
        # `error.strerror or str(error)`: it has no number if it has no words of the system.
        spared = {
            inner for node in ast.walk(handler) if isinstance(node, ast.BoolOp) for inner in ast.walk(node)
        }
        for node in set(ast.walk(handler)) - spared:
            parts = [node.value] if isinstance(node, ast.FormattedValue) else []
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "str":
                parts = node.args
            for part in parts:
                if isinstance(part, ast.Name) and part.id == handler.name:
                    yield node.lineno


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_no_error_of_the_system_is_told_with_its_number(path):
    assert list(told_as_they_are(ast.parse(path.read_text(encoding="utf-8")))) == []


def test_an_extra_is_installed_from_the_clone_into_the_environment_that_runs():
    start = [sys.executable, "-m", "pip", "install", "--editable"]
    assert shlex.split(install_command("web")) == [*start, f"{ROOT}[web]"]
    assert shlex.split(install_command()) == [*start, str(ROOT)]


def called_with(tree):
    """What `install_command` is called with where it stands in a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "install_command":
            yield from node.args


def test_extras_of_which_errors_speak_exist():
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")]
    named = {node.value for tree in trees for node in called_with(tree) if isinstance(node, ast.Constant)}
    assert named == EXTRAS


def test_the_docs_name_every_extra():
    shown = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    table = shown.partition("| extra |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == EXTRAS


def test_one_place_says_how_to_install():
    """The recorder imports nothing of the package, and its library is a dependency."""
    told = {path.name for path in PACKAGE.rglob("*.py") if "pip install" in path.read_text(encoding="utf-8")}
    assert told == {"recorder.py"}


# The name on PyPI is not ours: a text that asked pip for it would have readers run what anybody puts there.
FROM_PYPI = re.compile(
    r"stream[-_.]match\[[a-z]|\bpipx? install\b[^\n]*[ '\"]stream[-_.]match(?=[ '\"=<>`]|$)", re.MULTILINE
)


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("pip install 'stream-match[web]'", True),
        ("pip install stream_match", True),
        ("pip install -U stream-match==1.0", True),
        ("/opt/stream_match/bin/pip install '.[stream,web]'", False),
        ("install -m 644 scripts/deploy/stream_match.service /etc/systemd/system/", False),
    ],
)
def test_a_name_from_pypi_is_found(text, is_found):
    assert bool(FROM_PYPI.search(text)) == is_found


def test_no_text_installs_the_program_by_name_from_pypi():
    folders = ("docs", "stream_match", "scripts", "tests")
    files = [*ROOT.glob("*.md"), *(path for folder in folders for path in (ROOT / folder).rglob("*"))]
    kinds = {".md", ".py", ".toml", ".html", ".js", ".sh", ".yaml", ".service", ""}
    own = Path(__file__)
    texts = [path for path in files if path.is_file() and path.suffix in kinds and path != own]
    assert len(texts) > 300
    found = [
        str(path.relative_to(ROOT))
        for path in texts
        if FROM_PYPI.search(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert found == []
