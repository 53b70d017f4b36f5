"""Tracks that sound alike as one page: a list, their distances as bars, and players.

The page asks for nothing from outside and runs no script. Names are escaped: whatever a tag says is text.
"""

from collections.abc import Mapping
from pathlib import Path

from stream_match.events import Track
from stream_match.offline.reports.page import address_of, escaped
from stream_match.offline.tables.compared import Similar, bare_name
from stream_match.outputs import written_whole

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; \
media-src 'self' file:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Like {title}</title>
<style>
:root {{ --paper: #fff; --ink: #1b1b1f; --faint: #5f6270; --line: #dcdde3; --bar: #2f6fb2; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --paper: #16171b; --ink: #e8e8ec; --faint: #a2a5b3; --line: #33353d; --bar: #6aa5e6; }}
}}
body {{ margin: 0 auto; max-width: 46rem; padding: 1.5rem 1rem 4rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.45 system-ui, sans-serif; overflow-wrap: anywhere; }}
h1 {{ font-size: 1.35rem; margin: 0 0 .25rem; }}
ol {{ list-style: none; margin: 1.25rem 0; padding: 0; }}
li {{ display: grid; grid-template-columns: 2.2rem 1fr auto; gap: .1rem .6rem; padding: .7rem 0;
  border-top: 1px solid var(--line); }}
.rank, .far, .id, p {{ color: var(--faint); font-variant-numeric: tabular-nums; }}
.rank {{ text-align: right; }}
.id {{ font-size: .85rem; }}
.more {{ grid-column: 2 / -1; }}
.bar {{ height: .4rem; border-radius: .2rem; background: var(--bar); min-width: 2px; margin: .2rem 0; }}
audio {{ width: 100%; height: 2.4rem; margin-top: .3rem; }}
</style>
</head>
<body>
<h1>Like {title}</h1>
<p>{about}</p>
{player}
<ol>
{items}
</ol>
<p>{foot}</p>
</body>
</html>
"""

_ITEM = """\
<li><span class="rank">{rank}</span><span>{named}</span><span class="far">{distance:.4f}</span>
<div class="more"><div class="bar" style="width: {share:.2f}%"></div>{id}{player}</div></li>"""


def write_page(found: Similar, out: Path, files: Mapping[str, Path]) -> None:
    """Write a page.

    Parameters
    ----------
    found : Similar
    out : Path
        The page. It names audio files by their paths from its own folder, so that both can be moved together.
    files : mapping of str to Path
        Audio files by the ids of their tracks; a track without one has no player.

    Raises
    ------
    SinkError
        If it cannot be written.
    """
    places = {bare_name(name): path for name, path in files.items()} | dict(files)
    if found.query not in places and Path(found.query).is_file():
        places[found.query] = Path(found.query)
    farthest = max((distance for _, distance in found.tracks), default=0.0) or 1.0
    items = [
        _ITEM.format(
            rank=rank,
            named=escaped(_name(found, name)),
            distance=distance,
            share=100 * distance / farthest,
            id="" if _name(found, name) == name else f'<div class="id">{escaped(name)}</div>',
            player=_player(places, name, out),
        )
        for rank, (name, distance) in enumerate(found.tracks, 1)
    ]
    page = _PAGE.format(
        title=escaped(_name(found, found.query)),
        about=escaped(
            f"The {len(found.tracks)} nearest of {found.count} tracks. {found.metric.capitalize()} distance "
            f"by {', '.join(found.sets)}; a short bar is near."
        ),
        player=_player(places, found.query, out),
        items="\n".join(items),
        foot=escaped(" ".join(f"{hint[0].upper()}{hint[1:].rstrip('.')}." for hint in found.hints)),
    )
    with written_whole(out) as beside:
        beside.write_text(page, encoding="utf-8")


def _name(found: Similar, name: str) -> str:
    track = found.known.get(name, Track(id=name))
    return " – ".join(filter(None, (track.title, track.artist))) if track.title else name


def _player(places: Mapping[str, Path], name: str, out: Path) -> str:
    path = places.get(name) or places.get(bare_name(name))
    if path is None:
        return ""
    return f'<audio controls preload="none" src="{address_of(path, out)}"></audio>'
