"""Inputs that `scripts/fuzz.py` found, in their smallest form."""

import pytest

from stream_match.capture.playlist import PlaylistError, entries


@pytest.mark.parametrize("charset", ["UTF-1", "UTF--1", "x", "shift_jis", "utf-7"])
def test_a_playlist_in_an_encoding_that_is_not_known_is_refused(charset):
    text = f'<?xml version="1.0" encoding="{charset}"?><playlist><trackList/></playlist>'
    with pytest.raises(PlaylistError):
        entries(text.encode(), "xspf", "http://radio.example/")
