"""A page of HTML that needs nothing but itself: style, script, data and pictures stand in it.

A policy in the page forbids everything else. Scripts and styles are named by their hashes, so that nothing
that a name or a title might bring in could run.
"""

import base64
import hashlib
import html
import json
import os
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

from stream_match.outputs import written_whole
from stream_match.text import printable

_JSON_IN_HTML = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def asset(name: str) -> str:
    """Return the text of a file that stands beside this module, in ``assets``."""
    return (files("stream_match.offline.reports") / "assets" / name).read_text(encoding="utf-8")


def escaped(text: str) -> str:
    """Return text as it may stand in HTML, also within quotes; nothing in it acts on what stands beside it.

    Parameters
    ----------
    text : str
        Any text.
    """
    return html.escape(printable(text), quote=True)


def address_of(file: Path, page: Path) -> str:
    """Return the address of a file, relative to the folder of the page that names it.

    Parameters
    ----------
    file, page : Path
        The page need not be there yet.

    Returns
    -------
    str
        Percent-encoded: ASCII only, and no colon that a browser could take for the end of a scheme.
    """
    relative = os.path.relpath(os.path.realpath(file), os.path.realpath(page.parent))
    return quote(os.fsencode(relative))


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str = "") -> str:
    """Return a table.

    Parameters
    ----------
    header : sequence of str
        Text, which is escaped here.
    rows : iterable of sequence of str
        HTML. The first cell is the head of its row.
    caption : str
        Text.
    """
    lines = [f"<caption>{escaped(caption)}</caption>"] if caption else []
    if header:
        cells = "".join(f'<th scope="col">{escaped(name)}</th>' for name in header)
        lines.append(f"<thead><tr>{cells}</tr></thead>")
    for first, *others in rows:
        lines.append(f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in others)}</tr>')
    return f'<div class="wide"><table>{"".join(lines)}</table></div>'


def section(name: str, title: str, *body: str) -> str:
    """Return a section with a heading.

    Parameters
    ----------
    name : str
        Its id in the page.
    title : str
        Text.
    body : str
        HTML.
    """
    return f'<section id="{name}" aria-labelledby="{name}-h"><h2 id="{name}-h">{escaped(title)}</h2>' + (
        "\n".join(body) + "</section>"
    )


def write_page(path: Path, title: str, body: str, *, scripts: Sequence[str] = (), data: Any = None) -> None:
    """Write a page, whole or not at all.

    Parameters
    ----------
    path : Path
    title : str
        Text.
    body : str
        HTML of what the page holds.
    scripts : sequence of str
        Assets that are run one after the other, as one script.
    data : object
        Of JSON, without NaN; what the script finds in the element ``data``.

    Raises
    ------
    SinkError
        If it cannot be written.
    """
    style, script = asset("page.css"), "\n".join(map(asset, scripts))
    parts = [
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(style, script)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">',
        '<link rel="icon" href="data:,">',
        f"<title>{escaped(title)}</title><style>{style}</style></head>\n<body>{body}",
    ]
    if data is not None:
        text = json.dumps(data, allow_nan=False, separators=(",", ":")).translate(_JSON_IN_HTML)
        parts.append(f'<script type="application/json" id="data">{text}</script>')
    if script:
        parts.append(f"<script>{script}</script>")
    with written_whole(path) as beside:
        beside.write_text("\n".join([*parts, "</body></html>\n"]), encoding="utf-8")


def _policy(style: str, script: str) -> str:
    allowed = {
        "default-src": "'none'",
        "img-src": "data:",
        "media-src": "'self' file:",  # the recordings, which stand beside the page
        "style-src": _hash(style),
        "script-src": _hash(script) if script else "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{what} {where}" for what, where in allowed.items())


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
