"""What errors say: words for a person, and never the number of an error of the system."""

import ast
from pathlib import Path

import pytest

from stream_match.errors import words_of
from stream_match.publish.policy import cause
from stream_match.service.reasons import reason_of

PACKAGE = Path(__file__).parents[1] / "stream_match"
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
