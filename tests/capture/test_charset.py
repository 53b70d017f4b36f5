"""Titles whose charset nobody states: how often the guess is right, and what it must never get wrong."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from titles import HELD_OUT, KNOWN

from stream_match.capture.charset import decode_text


def guesses(titles):
    """Charset → how many titles there are, and how many are right."""
    found = {}
    for charset, text in titles.items():
        lines = text.splitlines()
        right = [line for line in lines if decode_text(line.encode(charset)) == line]
        found[charset] = (len(lines), len(right))
    return found


def test_titles_of_every_charset_are_mostly_right():
    """The figures of docs/streams.md. Polish, Czech and Hungarian fall back to Windows-1252 when unsure."""
    told = guesses(KNOWN)
    for charset, least in {
        "cp1252": 1.0,
        "cp1251": 1.0,
        "koi8_r": 1.0,
        "cp932": 0.95,
        "euc_jp": 1.0,
        "cp1253": 1.0,
        "cp1250": 0.5,
    }.items():
        n, right = told[charset]
        assert right >= least * n, (charset, told)


def test_titles_that_were_not_seen_before_are_mostly_right():
    told = guesses(HELD_OUT)
    assert told["cp1252"][1] >= told["cp1252"][0] - 1
    n, right = (sum(column) for column in zip(*told.values(), strict=True))
    assert right / n > 0.9, told


def test_what_is_wrong_falls_back_to_windows_1252():
    wrong = Counter()
    for titles in (KNOWN, HELD_OUT):
        for charset, text in titles.items():
            for line in text.splitlines():
                data = line.encode(charset)
                if decode_text(data) != line:
                    wrong[decode_text(data) == data.decode("cp1252", "replace")] += 1
    assert wrong[True] >= 0.8 * wrong.total(), wrong


@pytest.mark.parametrize("titles", [KNOWN, HELD_OUT])
def test_utf_8_is_certain_and_the_stated_charset_next(titles):
    for charset, text in titles.items():
        for line in text.splitlines():
            assert decode_text(line.encode()) == decode_text(line.encode(), "cp1251") == line
            if not _is_utf8(line.encode(charset)):
                assert decode_text(line.encode(charset), charset) == line


def _is_utf8(data):
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_a_stated_charset_that_cannot_be_gives_way_to_the_guess():
    assert decode_text("Käse".encode("cp1252"), "ascii") == "Käse"
    assert decode_text("Käse".encode("cp1252"), "shift_jis") != ""
    assert decode_text(b"K\xe4se", "utf-16") in ("Käse", b"K\xe4se".decode("utf-16"))


def test_control_characters_of_latin_1_mean_windows_1252():
    assert decode_text(b"\x93Heroes\x94 \x96 Don\x92t") == "“Heroes” – Don’t"


def test_a_text_that_was_cut_in_the_middle_of_a_letter():
    cut = "Motörhead – Überjäm".encode()
    assert decode_text(cut[:-2]) == "Motörhead – Überj"
    assert decode_text("\ufeffKino".encode()) == "Kino"


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=600))
def test_anything_becomes_text(data):
    assert isinstance(decode_text(data), str)
    assert decode_text(data) == decode_text(data)
