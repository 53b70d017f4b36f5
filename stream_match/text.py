"""Text from outside, made fit for one line of a terminal.

Titles, stream names, file names and answers of servers are written by strangers. Printed as they are, they
could paint the screen, forge lines of a log, or turn the order of what stands beside them.
"""

import json
import unicodedata

_JOINERS = "\u200c\u200d"
"""Zero-width non-joiner and joiner: Persian and Indian words and composed emoji are written with them."""

_SURROGATE_OF_A_BYTE = range(0xDC80, 0xDD00)
"""How Python keeps a byte of a file name that is no UTF-8."""


def printable(text: str) -> str:
    r"""Return the text as it may stand in one line on a terminal.

    Control characters, line feeds and unusual spaces become spaces. Format characters, which have no shape
    of their own, are left out: marks, overrides and isolates of writing direction, zero-width spaces, tags.
    Hebrew and Arabic are read without them. Only a joiner stays, between two characters beyond ASCII: there
    it shapes words and emoji, and it changes no order. Lone surrogates are shown as escapes, such as
    ``\xff`` for a byte that is no UTF-8. U+FFFD stands for characters that Unicode has not assigned, or
    leaves to private use.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        The same text if every character is printable. It is always encodable as UTF-8.
    """
    if text.isprintable():
        return text
    return "".join(_shown(text, at) for at in range(len(text)))


def _shown(text: str, at: int) -> str:
    letter = text[at]
    if letter.isprintable():
        return letter
    category = unicodedata.category(letter)
    if category == "Cs":
        return _escaped(ord(letter))
    if category == "Cf":
        return letter if letter in _JOINERS and _joins(text, at) else ""
    return "\ufffd" if category in ("Cn", "Co") else " "


def _escaped(surrogate: int) -> str:
    if surrogate in _SURROGATE_OF_A_BYTE:
        return f"\\x{surrogate - 0xDC00:02x}"
    return f"\\u{surrogate:04x}"


def _joins(text: str, at: int) -> bool:
    around = text[at - 1 : at] + text[at + 1 : at + 2]
    return len(around) == 2 and around.isprintable() and not any(letter.isascii() for letter in around)


def printable_json(line: str) -> str:
    """Return the same JSON with every character escaped that is not printable.

    Parameters
    ----------
    line : str
        JSON in one line. Such characters stand only inside its strings, so that its value stays the same.

    Returns
    -------
    str
    """
    if line.isprintable():
        return line
    return "".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in line)
