"""Bytes of titles and tags → text, where nobody says in which charset they are.

UTF-8 is certain: other texts are hardly ever valid UTF-8. Then comes the charset that the user states for
the source. What is left is a guess between the charsets of `CANDIDATES`, by the letters that the text would
have: how frequent they are in the language, and which letters stand side by side in words. Windows-1252
(Latin-1 with letters where that has control characters) wins unless another is clearly more plausible.
`docs/streams.md` has how often the guess is right.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

LONGEST_GUESSED = 512  # bytes: more say nothing new
_UNLIKELY = -9.0  # log probability of a character that the language does not have
_UNDEFINED = -14.0  # of a byte that the charset does not have: it is another charset
_MARGIN = 2.0  # by so much another charset must be more plausible than Windows-1252
_CASE_CHANGE = -3.0  # a capital after a small letter: iPod, McCartney
_MIXED_WORD = -4.0  # a Cyrillic or Greek letter beside an ASCII one
_ACCENT_PAIR = -2.0  # two accented letters side by side: Lluís, Žižek, but Müéß
_WORD_JOIN = -4.0  # a sign such as ¹ or ¿ inside a word
_WORD = re.compile(r"[^\W\d_]")

DEFAULT = "cp1252"


@dataclass(frozen=True)
class Candidate:
    """A charset, and what texts in it are made of.

    Parameters
    ----------
    charset : str
        Name of Python's codec.
    letters : str
        Letters beyond ASCII from the most to the least frequent.
    prior : float [log probability]
        How common the charset is among titles that are not UTF-8; 0 for the most common.
    script : bool
        True if whole words are beyond ASCII; False if letters with accents stand among others.
    """

    charset: str
    letters: str
    prior: float
    script: bool
    weights: Mapping[str, float] = field(init=False)

    def __post_init__(self) -> None:
        """Give each letter its log probability: a falling share by rank, as in natural languages."""
        shares = [1 / (rank + 4) for rank in range(len(self.letters))]
        total = math.log(sum(shares))
        weights = {
            letter: math.log(share) - total for letter, share in zip(self.letters, shares, strict=True)
        }
        object.__setattr__(self, "weights", weights)


CANDIDATES = (
    Candidate(DEFAULT, "éáíóüöäñçãèàåêúôøßâîûæëïõòùìœšžýðþÿ’‘“”–—…´·«»°&®©¡¿ªº", 0.0, script=False),
    Candidate("cp1250", "áéíłóąęšžčřýěöśżćůúńźőüäűăţşôđťďľňĺŕâîë’‘“”„–—…", -1.5, script=False),
    Candidate("cp1251", "оеаинтслвркдмпуыязьбгчйжхшюцщэфёъіїєґўђћљњџ«»–—…№“”", -1.0, script=True),
    Candidate("koi8_r", "оеаинтслвркдмпуыязьбгчйжхшюцщэфёъ", -3.0, script=True),
    Candidate("cp1253", "αοιετνσηρπκμλςυωάόίδγέθήφχύβώξζψϊϋΐΰ’–«»", -2.0, script=True),
)
"""Charsets of one byte a letter that are tried."""


def decode_text(data: bytes, charset: str | None = None) -> str:
    """Decode a title, a tag or a header.

    Parameters
    ----------
    data : bytes
        As a stream or a file sent it.
    charset : str, optional
        Name of a codec that the user states for the source.

    Returns
    -------
    str
        UTF-8 if it is that; else in the charset stated, if it can be; else by plausibility. Never an error:
        what cannot be decoded in any charset becomes U+FFFD.
    """
    for text in (_utf8(data), None if charset is None else _strictly(data, charset)):
        if text is not None:
            return text
    return data.decode(_guessed(data[:LONGEST_GUESSED]), errors="replace")


def _utf8(data: bytes) -> str | None:
    """Decode UTF-8; a text that was cut to a number of bytes may end in the middle of a letter."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        whole = data[: error.start]
        cut = error.reason == "unexpected end of data" and not whole.isascii()
        return whole.decode("utf-8-sig") if cut else None


def _strictly(data: bytes, charset: str) -> str | None:
    try:
        return data.decode(charset)
    except (UnicodeError, LookupError):
        return None


@lru_cache(maxsize=256)
def _guessed(data: bytes) -> str:
    """Return the codec that makes the most plausible text of some bytes."""
    plausible = {one.charset: _plausibility(data, one) for one in CANDIDATES}
    plausible |= {charset: _japanese(data, charset) for charset in ("cp932", "euc_jp")}
    best = max(plausible, key=lambda charset: plausible[charset])
    return best if plausible[best] > plausible[DEFAULT] + _MARGIN else DEFAULT


def _plausibility(data: bytes, candidate: Candidate) -> float:
    """Return the log probability of what is beyond ASCII in a text of one byte a letter."""
    text = data.decode(candidate.charset, errors="replace")
    total = candidate.prior
    before = " "
    for letter in text:
        if not letter.isascii():
            total += _UNDEFINED if letter == "\ufffd" else candidate.weights.get(letter.lower(), _UNLIKELY)
        if not (letter.isascii() and before.isascii()):
            total += _side_by_side(before, letter, script=candidate.script)
        before = letter
    return total


def _side_by_side(before: str, letter: str, *, script: bool) -> float:
    """Return how much less plausible two neighbours are than each alone; one of them is beyond ASCII."""
    if not (_WORD.match(before) and _WORD.match(letter)):
        inside = _WORD.match(before) and not letter.isascii() and letter.isalnum()
        return _WORD_JOIN if inside else 0.0
    cost = _CASE_CHANGE if before.islower() and letter.isupper() else 0.0
    foreign = before.isascii() or letter.isascii()
    if script:
        return cost + (_MIXED_WORD if foreign else 0.0)
    return cost + (0.0 if foreign else _ACCENT_PAIR)


def _japanese(data: bytes, charset: str) -> float:
    """Return the log probability of what is beyond ASCII in a text of two bytes a character."""
    text = _strictly(data, charset)
    if text is None:
        return -math.inf
    return -1.5 + sum(_of_japanese(character) for character in text if not character.isascii())


def _of_japanese(character: str) -> float:
    """Return a log probability; the characters of a row are taken as equally frequent."""
    if "\u3040" <= character <= "\u30ff":
        return -4.5  # kana: 0.5 of the text, 80 in use
    if "\uff61" <= character <= "\uff9f":
        return -9.0  # half-width: hardly used in titles, and bytes of other charsets look like it
    if "\u3000" <= character <= "\u303f" or "\uff01" <= character <= "\uff5e":
        return -6.5
    if "\u4e00" <= character <= "\u9fff":
        return -7.5 if _common(character) else -12.0
    return -11.0


def _common(character: str) -> bool:
    """Say whether a Chinese character is one of the 2965 of JIS level 1, which most texts make do with."""
    code = character.encode("euc_jp", errors="ignore")
    return len(code) == 2 and 0xB0 <= code[0] <= 0xCF
