"""What strangers wrote, made fit for a terminal."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_match.text import printable, printable_json

ANY = st.text(st.characters(exclude_categories=()))  # lone surrogates too


@pytest.mark.parametrize(
    "text",
    [
        "Für Elise – Ludwig van Beethoven",
        "أم كلثوم",
        "שלום חנוך",
        "می\u200cخواهم",  # Persian, with its non-joiner
        "क्\u200dष",
        "👩\u200d🔬 ❤️\u200d🔥 🏳️\u200d🌈",
        "e\u0301 – 東京事変 – 🇫🇷",
    ],
)
def test_names_of_all_languages_stay_as_they_are(text):
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("A\nB\r\nC\tD\x1b[31mE", "A B  C D [31mE"),
        ("\x9b31m\x85\u2028\u2029x", " 31m   x"),
        ("a\x07\x08\x7fb", "a   b"),
        ("gpj\u202e3pm.\u202cexe", "gpj3pm.exe"),
        ("\u2066a\u2069\u200eb\u200f\u061cc", "abc"),
        ("pass\u200bword\ufeff\u00ad\u2060", "password"),
        ("a\u200db \u200d\u200cc\u200d", "ab c"),
        ("\u200d👩", "👩"),
        ("flag\U000e0067\U000e007f", "flag"),
        ("b\udcff.ogg \ud83d", "b\\xff.ogg \\ud83d"),
        ("no\u00a0break\u3000wide", "no break wide"),
        ("\uf8ff \U0010ffff", "\ufffd \ufffd"),
    ],
)
def test_what_acts_on_a_terminal_is_taken_out(text, shown):
    assert printable(text) == shown


@given(ANY)
def test_no_text_at_all_reaches_further_than_its_place(text):
    shown = printable(text)
    assert {letter for letter in shown if not letter.isprintable()} <= {"\u200c", "\u200d"}
    shown.encode()
    assert printable(shown) == shown


@given(ANY)
def test_json_keeps_its_value(text):
    for ascii_only in (True, False):
        line = printable_json(json.dumps({"title": text}, ensure_ascii=ascii_only))
        assert line.isprintable()
        assert json.loads(line) == {"title": text}
