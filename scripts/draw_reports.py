"""Draw docs/report-*.png: the reports of a recording and of a collection in Chromium, or measure a large one.

Run it as .venv/bin/python scripts/draw_reports.py pictures, or speed. All music is made on the spot, by the
code that plays the demo. matplotlib, selenium, and Debian's packages chromium and chromium-driver are needed.
"""

import argparse
import io
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import soundfile

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.repertoire import PIECES
from stream_match.capture.synth import render
from stream_match.descriptors.sets import SETS
from stream_match.offline.reports.collection_page import report_collection, write_collection
from stream_match.offline.reports.recording_page import report_recording
from stream_match.offline.reports.tracks import Tracks
from stream_match.offline.tables.table import make_table

DOCS = Path(__file__).resolve().parents[1] / "docs"
WIDTH = 1000
COLOURS = 48
"""Of a picture in the docs; with more, they are larger than 150 kB."""

TAKES = 12
"""Pieces in the manner of each of the demo's; the last one is there in two formats."""
TAKE_S = 20

MADE_UP = 10_000
GROUPS = 8

SCROLLED = """
const list = document.getElementById("scroller"), done = arguments[0], waits = [];
let last = performance.now();
requestAnimationFrame(function step() {
  const now = performance.now();
  waits.push(now - last); last = now;
  list.scrollTop += 1100;
  if (list.scrollTop + list.clientHeight < list.scrollHeight - 1) requestAnimationFrame(step);
  else done([waits.length, waits.sort((a, b) => a - b)[waits.length >> 1], Math.max(...waits)]);
});"""


def main(argv: Sequence[str] | None = None) -> int:
    """Draw or measure; return the exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=("pictures", "speed"))
    parser.add_argument("--tracks", type=int, default=MADE_UP, metavar="N", help="made-up tracks for speed")
    args = parser.parse_args(argv)
    with TemporaryDirectory() as folder:
        if args.part == "pictures":
            pictures(Path(folder))
        else:
            speed(Path(folder), args.tracks)
    return 0


def pictures(folder: Path) -> None:
    """Make music, report it, and write what Chromium shows.

    Parameters
    ----------
    folder : Path
        For what is made meanwhile.
    """
    music = folder / "music"
    for path, y in takes(music):
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, y, SAMPLE_RATE_HZ)
    tables = [folder / "gtzan.csv", folder / "ssd.csv"]
    for table in tables:
        make_table([music], table, name=table.stem)
    report_collection(None, tables, [music], folder / "collection.html")
    song = next(music.glob("night-train/*01*"))
    report_recording(song, folder / "recording.html")
    with chromium(1400) as browser:
        browser.get((folder / "collection.html").as_uri())
        browser.execute_script("document.querySelector('#tracks tbody button').click()")
        keep(browser, "report-collection.png")
    with chromium(1500, dark=True) as browser:
        browser.get((folder / "recording.html").as_uri())
        keep(browser, "report-recording.png")


def takes(music: Path) -> Iterator[tuple[Path, Any]]:
    """Yield files and samples: pieces in the manner of the demo's, a folder for each of them."""
    for piece in PIECES:
        for take in range(TAKES):
            made = replace(
                piece, seed=1000 * piece.seed + take, tempo_bpm=piece.tempo_bpm * (0.9 + 0.02 * take)
            )
            y = np.asarray(render(made), np.float32)[: TAKE_S * SAMPLE_RATE_HZ]
            y = (0.3 + 0.05 * take) / np.abs(y).max() * y
            yield music / piece.id.partition("/")[2] / f"take {take + 1:02}.flac", y
    yield music / "copies" / "take.ogg", y


def keep(browser: Any, name: str, *, colours: int = COLOURS) -> None:
    """Write what is seen, with few colours."""
    from PIL import Image

    shown = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")
    path = DOCS / name
    shown.quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def speed(folder: Path, count: int) -> None:
    """Print how long a collection of made-up tracks takes to write, to open and to scroll through.

    Parameters
    ----------
    folder : Path
        For the page.
    count : int
        Tracks.
    """
    page, tracks = folder / "large.html", made_up(count)
    began = time.perf_counter()
    write_collection(tracks, page)
    print(
        f"{count} tracks, {page.stat().st_size / 1e6:.1f} MB, written in {time.perf_counter() - began:.1f} s"
    )
    with chromium(1000) as browser:
        for _ in range(3):
            browser.get(page.as_uri())
            loaded_ms = browser.execute_script(
                "return performance.getEntriesByType('navigation')[0].loadEventEnd"
            )
            frames, middle_ms, longest_ms = browser.execute_async_script(SCROLLED)
            print(
                f"loaded after {loaded_ms:.0f} ms; scrolled to the end in {frames} frames, "
                f"median {middle_ms:.0f} ms, longest {longest_ms:.0f} ms"
            )


def made_up(count: int) -> Tracks:
    """Return tracks with descriptors of no music: clusters that differ in ten directions."""
    rng = np.random.default_rng(1)
    group = np.arange(count) % GROUPS
    columns = SETS["gtzan"].columns
    table = 4 * rng.standard_normal((GROUPS, len(columns)))[group]
    table += rng.standard_normal((count, 10)) @ rng.standard_normal((10, len(columns)))
    table[:, columns.index("rms_mean")] = 10 ** (-rng.uniform(5, 45, count) / 20)
    table[:, columns.index("tempo")] = rng.uniform(60, 200, count)
    return Tracks(
        name="made up",
        ids=tuple(f"label {number % 97}/album {number % 1009}/track {number:05}" for number in range(count)),
        titles=tuple(f"A piece of no music, number {number}" for number in range(count)),
        artists=tuple(f"Ensemble {number % 1009}" for number in range(count)),
        groups=tuple(f"genre {number}" for number in group),
        grouped_by="genre",
        files={},
        sets={"gtzan": table},
        copies=None,
        false_scores={},
        left_out=0,
    )


@contextmanager
def chromium(height: int, *, dark: bool = False) -> Iterator[Any]:
    """Yield Debian's Chromium, without a screen."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or sys.exit("chromium is not there")
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--hide-scrollbars",
        f"--window-size={WIDTH},{height}",
    ):
        options.add_argument(argument)
    if dark:
        options.add_argument("--force-dark-mode")
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    browser.set_script_timeout(120)
    try:
        yield browser
    finally:
        browser.quit()


if __name__ == "__main__":
    sys.exit(main())
