"""One file of numbers: each is explained, and read when it is used, so that a test may change it."""

import ast
from pathlib import Path

import stream_match
from stream_match.match import tuning
from stream_match.match.recording.query import shifts_semitones, windows_s

PACKAGE = Path(stream_match.__file__).parent


def test_every_number_is_explained():
    body = ast.parse(Path(tuning.__file__).read_text(encoding="utf-8")).body[1:]
    for number, text in zip(body[::2], body[1::2], strict=True):
        assert isinstance(number, ast.Assign)
        assert isinstance(text.value.value, str), number.targets[0].id
        assert number.targets[0].id.isupper()


def test_no_number_is_copied_when_a_module_is_loaded():
    for path in (PACKAGE / "match").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert not [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module.endswith(".tuning")
        ], path
        assigned = [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign)]
        defaults = [
            default
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef)
            for default in (*node.args.defaults, *filter(None, node.args.kw_defaults))
        ]
        assert "id='tuning'" not in "".join(map(ast.dump, assigned + defaults)), path


def test_a_number_that_is_changed_is_used(monkeypatch):
    monkeypatch.setattr(tuning, "MOST_SHIFT_SEMITONES", 0.5)
    monkeypatch.setattr(tuning, "LONGEST_WINDOW_S", 4.0)
    assert shifts_semitones() == (0.0, -0.5, 0.5)
    assert windows_s() == (1.115, 2.23, 4.0)
