"""Draw docs/page-*.png, the page of a listener in Chromium: on a desk, in the dark, on a phone.

Run it as .venv/bin/python scripts/draw_page.py; it takes five minutes. What is seen is the demo's broadcast.
It is heard many times as fast as it can be, by a clock that is set back, for the day to have something in it,
and then as it sounds. The extras web and dev, pillow, and Debian's packages chromium and chromium-driver are
needed. With --icons, it draws the icons of the page from icon.svg instead.
"""

import argparse
import asyncio
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from draw_reports import chromium, keep

from stream_match.capture.demo import SCHEDULE
from stream_match.catalog import load_index
from stream_match.config import ListenSettings
from stream_match.engine import Engine
from stream_match.service import World, listen
from stream_match.service.hearing import always
from stream_match.shipped import shipped

ASSETS = Path(__file__).resolve().parents[1] / "stream_match" / "web" / "assets"
HOURS_AGO = (13.2, 11.4, 8.1, 5.5, 2.2)
TIMES = 8
"""When the broadcast was heard before, and how often then."""

COLOURS = 160

EVENING = 20
"""Hour at which the day is looked at, by the time zone that the browser is given."""

HEARD_S = 24.0
"""How long the page is looked at first: its chroma shows as much."""

HEIGHT = 1120
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
ICONS = (192, 512)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw; return the exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--icons", action="store_true", help="draw the icons instead")
    if parser.parse_args(argv).icons:
        icons()
        return 0
    with TemporaryDirectory() as folder:
        state = Path(folder)
        for hours, time_ in product(HOURS_AGO, range(TIMES)):
            ago_s = 3600 * hours - time_ * (SCHEDULE[-1].end_s + 20)
            asyncio.run(heard(settings(state, pace="fast"), ago_s=ago_s))
        with listening(state) as address:
            pictures(address)
    return 0


def settings(state: Path, **changes: Any) -> ListenSettings:
    """Return the settings of the listener."""
    source = {"uri": "demo:", "name": "kitchen", "title": "Kitchen radio"}
    content = {"node": "shelf", "sources": [source], "sinks": ["jsonl:/dev/null"], "state": state}
    return ListenSettings.from_mapping({**content, **changes}, where="here")


async def heard(wanted: ListenSettings, *, ago_s: float = 0.0, stop: asyncio.Event | None = None) -> None:
    """Listen to the broadcast, by a clock that is set back."""
    catalogue = load_index(shipped("demo"))
    await listen(
        wanted,
        always(lambda: Engine(catalogue, wanted.match, wanted.onsets)),
        stop=stop,
        world=World(now=lambda: time.time() - ago_s),
    )


@contextmanager
def listening(state: Path) -> Iterator[str]:
    """Listen as it sounds, in a thread; yield the address of the page."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        place = f"127.0.0.1:{free.getsockname()[1]}"
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    work = heard(settings(state, web={"listen": place}), stop=stop)
    thread = threading.Thread(target=lambda: loop.run_until_complete(work))
    thread.start()
    try:
        wait_for(place)
        yield f"http://{place}/"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def wait_for(place: str) -> None:
    """Wait until the page is served."""
    host, port = place.split(":")
    for _ in range(300):
        with suppress(ConnectionRefusedError), socket.create_connection((host, int(port))):
            return
        time.sleep(0.1)
    sys.exit("the page is not served")


def pictures(address: str) -> None:
    """Write what Chromium shows, in the light, in the dark, and on a phone."""
    with chromium(HEIGHT) as desk, chromium(HEIGHT, dark=True) as dark, chromium(HEIGHT) as phone:
        phone.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
        for browser in (desk, dark, phone):
            browser.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": zone()})
            browser.get(address)
        time.sleep(HEARD_S)
        keep(desk, "page.png", colours=COLOURS)
        keep(dark, "page-dark.png", colours=COLOURS)
        keep(phone, "page-phone.png", colours=COLOURS)


def zone() -> str:
    """Return the time zone in which it is evening."""
    east = (EVENING - datetime.now(UTC).hour + 12) % 24 - 12
    return f"Etc/GMT{-east:+d}" if east else "Etc/GMT"  # these names count the other way round


def icons() -> None:
    """Draw the icons of the page, for those who take no SVG."""
    with chromium(900) as browser:
        for size in ICONS:
            area = {"width": size, "height": size, "deviceScaleFactor": 1, "mobile": False}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", area)
            browser.get((ASSETS / "icon.svg").as_uri())
            keep(browser, str(ASSETS / f"icon-{size}.png"))


if __name__ == "__main__":
    sys.exit(main())
