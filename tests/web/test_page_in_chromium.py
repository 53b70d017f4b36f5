"""The page in a real browser: what is shown, what comes back after a cut, who can use it."""

import importlib.util
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from chromium import complaints, open_chromium, requests
from page_fakes import DEADLINE_S, PagedListener, running
from publish.publish_samples import cluster, genre, match, sound, sounds_like

pytest.importorskip("starlette", reason="the extra web is not installed")
pytest.importorskip("uvicorn", reason="the extra web is not installed")

from stream_match.clips import ClipFolder
from stream_match.clips.encoding import encoded
from stream_match.clips.samples import sixteen_bits
from stream_match.events import Evidence, Rival, Track

HOSTILE = "<img src=x onerror=alert(1)> \u202e & 'quotes\""
EVIDENCE = Evidence(
    faiss_votes=38, lsh_votes=12, similarity=0.62, coverage=0.98,
    runner_up=Rival(track=Track(id="b", title="The Other", artist="Them"), score=2.1),
)  # fmt: skip


@pytest.fixture(scope="module")
def browser():
    with open_chromium(window=(1200, 1000)) as chrome:
        yield chrome


@pytest.fixture
def listener(tmp_path):
    with PagedListener(tmp_path) as house:
        running(house)
        yield house


@pytest.fixture
def page(browser, listener):
    complaints(browser), requests(browser)
    browser.get(listener.address)
    until(
        browser,
        "document.querySelector('.link.live') && document.querySelector('[data-source=kitchen] .title')",
    )
    yield browser
    browser.get("about:blank")


def run(chrome, script, *given):
    return chrome.execute_script(f"return {script}", *given)


def until(chrome, script, *given):
    """Wait until a script says something true, and return it."""
    deadline = time.monotonic() + DEADLINE_S
    while not (found := run(chrome, script, *given)):
        assert time.monotonic() < deadline, script
        time.sleep(0.05)
    return found


def text(chrome, selector):
    return run(chrome, "document.querySelector(arguments[0])?.textContent ?? ''", selector)


def click(chrome, selector):
    """Click where it is: the page scrolls smoothly, and a driver clicks where it was."""
    run(chrome, "document.querySelector(arguments[0]).click()", selector)


def until_text(chrome, selector, wanted):
    until(
        chrome,
        "(document.querySelector(arguments[0])?.textContent ?? '').includes(arguments[1])",
        selector,
        wanted,
    )


def play(listener, phase="started", **changes):
    track = Track(id="a/b", title="Gymnopédie No. 1", artist="Erik Satie")
    return listener.tell(match, phase, **{"track": track, "evidence": EVIDENCE, **changes})


def test_now_playing_appears_moves_and_ends(page, listener):
    assert text(page, ".title") == "I do not know this."
    play(listener, reference_s=83.0, speed=1.0)
    until_text(page, ".title", "Gymnopédie No. 1")
    assert text(page, ".artist") == "Erik Satie"
    assert page.title == "♪ Gymnopédie No. 1"
    until(page, "['at 1:23', 'at 1:24', 'at 1:25'].includes(document.querySelector('.place').textContent)")
    before = text(page, ".place")
    until(page, "document.querySelector('.place').textContent !== arguments[0]", before)
    click(page, ".why summary")
    reasons = text(page, ".why")
    for told in ("12.0", "0.62", "98 %", "38", "The Other – Them"):
        assert told in reasons
    play(listener, "ended", ended_s=9.0)
    until_text(page, ".title", "I do not know this.")
    assert page.title == "stream_match"
    assert complaints(page) == []


def test_what_is_not_known_is_said_with_what_it_resembles(page, listener):
    listener.tell(sounds_like, "a/b", "c")
    listener.tell(genre)
    until_text(page, ".like", "It sounds like a/b, c. Its genre may be disco (71 %).")
    page.find_element("xpath", "//button[text()='What came near?']").click()
    until_text(page, ".near", "Nearly – Them (score 4.2): Its score is below the threshold.")
    running(listener, level_dbfs=-100.0)
    until_text(page, ".title", "Silence.")
    running(listener, "reconnecting", reason="the server is away", level_dbfs=None)
    until_text(page, ".title", "The source is lost")
    assert "the server is away" in text(page, ".artist")


def test_the_chroma_moves_while_somebody_looks(page, listener):
    listener.sound()
    until(page, """(() => {
        const canvas = document.querySelector('canvas.chroma');
        const drawn = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        return drawn.some((value, at) => at % 4 === 3 && value > 40);
    })()""")  # fmt: skip
    until(page, "Number(document.querySelector('.level').getAttribute('aria-valuenow')) > -30")


def test_the_history_fills_and_is_filtered(page, listener):
    play(listener, "started", match_id="one")
    play(listener, "ended", match_id="one", ended_s=9.0)
    until(page, "document.querySelectorAll('#airings li').length === 1")
    other = Track(id="z", title="Clair de lune", artist="Debussy")
    play(listener, "started", match_id="two", track=other, kind="version")
    play(listener, "ended", match_id="two", track=other, kind="version", ended_s=9.0)
    until(page, "document.querySelectorAll('#airings li').length === 2")
    assert "2 matches" in text(page, "#found")
    page.find_element("id", "q").send_keys("debussy")
    until(page, "document.querySelectorAll('#airings li').length === 1")
    assert "Clair de lune" in text(page, "#airings")
    click(page, "#airings summary")
    until_text(page, "#airings .rest", "another version")
    assert "q=debussy" in run(page, "document.getElementById('csv').href")
    table = listener.request("GET", "/api/history.csv?q=debussy")[2].decode()
    assert [line.split(",")[8] for line in table.splitlines()] == ["title", "Clair de lune"]
    until(page, "document.querySelectorAll('#timeline rect.match').length === 2")
    assert complaints(page) == []


def test_of_several_sources_each_line_says_where_by_the_name_that_people_know(page, listener):
    play(listener, "ended", match_id="one", ended_s=9.0)
    until(page, "document.querySelectorAll('#airings li').length === 1")
    assert " on " not in text(page, "#airings .what")  # there is only one source
    names = {"source": "hall", "source_name": "Flur"}
    running(listener, **names)
    play(listener, "ended", match_id="two", ended_s=9.0, **names)
    listener.tell(sound, cluster_id="bell-1", **names)
    until_text(page, "#airings", "Erik Satie on Flur")
    assert "Erik Satie on kitchen" in text(page, "#airings")
    until_text(page, "#timeline", "Flur")
    until_text(page, "[data-kind=bell-1]", "on Flur")
    assert run(page, "[...document.getElementById('of-source').options].map((one) => one.text)") == [
        "every source", "kitchen", "Flur",
    ]  # fmt: skip
    assert complaints(page) == []


def test_what_happened_during_a_cut_is_told_after_it(page, listener):
    play(listener, "started", match_id="cut")
    until_text(page, "#happenings", "began on kitchen")
    listener.stop()
    until_text(page, "#link", "connection lost")
    until_text(page, ".title", "Gymnopédie")
    listener.start()
    running(listener)
    play(listener, "ended", match_id="cut", ended_s=9.0)
    until_text(page, "#link", "live")
    until_text(page, "#happenings", "ended on kitchen")
    until_text(page, ".title", "I do not know this.")


def test_a_hidden_page_asks_for_nothing_and_comes_back(page, listener):
    assert listener.chroma.viewers == 1
    first = page.current_window_handle
    page.switch_to.new_window("tab")
    deadline = time.monotonic() + DEADLINE_S
    while listener.chroma.viewers and time.monotonic() < deadline:
        time.sleep(0.05)
    assert listener.chroma.viewers == 0
    play(listener, "started", match_id="hidden")
    play(listener, "ended", match_id="hidden", ended_s=9.0)
    page.close()
    page.switch_to.window(first)
    until_text(page, "#happenings", "ended on kitchen")


def test_a_sound_is_named_in_its_place(page, listener):
    listener.tell(sound, cluster_id="RUN-3")
    until_text(page, "#kinds", "sound 3")
    click(page, "[data-kind=RUN-3] button")
    page.switch_to.active_element.send_keys("refused\n")
    until_text(page, "[data-kind=RUN-3] .wrong", "printable")
    page.find_element("css selector", "[data-kind=RUN-3] input").clear()
    page.find_element("css selector", "[data-kind=RUN-3] input").send_keys("doorbell\n")
    until_text(page, "[data-kind=RUN-3] b", "doorbell")
    assert listener.control.named == [("kitchen", "RUN-3", "doorbell")]
    listener.tell(sound, cluster_id="RUN-4")
    until_text(page, "#kinds", "sound 4")
    listener.tell(cluster, "merged", cluster_id="RUN-3", from_=("RUN-3", "RUN-4"))
    until(page, "!document.querySelector('[data-kind=RUN-4]')")


def test_the_least_frequent_of_many_kinds_leave_the_page(page, listener):
    shown = "document.querySelectorAll('#kinds li').length"
    for number in range(60):
        listener.tell(sound, cluster_id=f"OLD-{number}", cluster_size=10 + number)
    until(page, f"{shown} === 60")
    click(page, "[data-kind=OLD-1] button")  # somebody is about to name it
    for number in range(6):
        listener.tell(sound, cluster_id=f"NEW-{number}", cluster_size=100 + number)
    until(page, "document.querySelectorAll('#kinds [data-kind^=NEW]').length === 6")
    left = run(page, "[...document.querySelectorAll('[data-kind^=OLD]')].map((one) => one.dataset.kind)")
    assert {f"OLD-{n}" for n in range(60)} - set(left) == {f"OLD-{n}" for n in (0, 2, 3, 4, 5)}
    page.switch_to.active_element.send_keys("doorbell\n")
    until_text(page, "[data-kind=OLD-1] b", "doorbell")
    listener.tell(sound, cluster_id="NEW-6", cluster_size=200)
    until(page, "document.activeElement.blur() || document.querySelector('[data-kind=NEW-6]')")
    listener.tell(sound, cluster_id="NEW-7", cluster_size=200)
    until(page, "document.querySelector('[data-kind=NEW-7]')")
    assert run(page, shown) == 60
    assert not run(page, "document.querySelector('[data-kind=OLD-1]')")
    listener.tell(sound, cluster_id="NEW-8", cluster_size=300)
    until(page, "document.querySelector('[data-kind=NEW-8]')")
    listener.tell(sound, cluster_id="OLD-30", cluster_size=301)  # a card that stayed
    until_text(page, "[data-kind=OLD-30] .often", "301")
    assert complaints(page) == []


def marked(listener, *wanted):
    deadline = time.monotonic() + DEADLINE_S
    while listener.control.marked != list(wanted):
        assert time.monotonic() < deadline, listener.control.marked
        time.sleep(0.05)


def test_what_is_heard_just_now_is_marked_by_the_keyboard(page, listener):
    from selenium.webdriver.common.keys import Keys

    button = "[data-source=kitchen] .marking button"
    assert text(page, button) == "Find this ever after"
    run(page, "document.querySelector(arguments[0]).focus()", button)
    page.switch_to.active_element.send_keys(Keys.ENTER)
    page.switch_to.active_element.send_keys("half a name", Keys.ESCAPE)
    assert run(page, "document.activeElement.textContent") == "Find this ever after"
    page.switch_to.active_element.send_keys(Keys.ENTER)
    page.switch_to.active_element.send_keys("refused", Keys.ENTER)
    until_text(page, ".marking .wrong", "the disk is full")
    seconds = page.find_element("css selector", ".marking input[type=number]")
    assert (seconds.get_attribute("value"), seconds.get_attribute("max")) == ("10", "60")
    title = page.find_element("css selector", ".marking input")
    title.clear()
    title.send_keys("Door bell", Keys.TAB, Keys.ARROW_UP, Keys.ENTER)
    marked(listener, ("kitchen", "Door bell", 11))
    until_text(page, ".marking [role=status]", "Door bell is found from now on.")
    assert [one for one in complaints(page) if "503" not in one] == []


def test_clips_are_marked_where_they_are_played(browser, tmp_path):
    clips = ClipFolder(tmp_path / "clips")
    tone = sixteen_bits(np.full(22_050, 0.1, np.float32))
    names = ["kitchen/match-one.flac", "kitchen/sound-run-1.flac"]
    for name in names:
        clips.write(name, encoded(tone, "flac"))
    with PagedListener(tmp_path, clips=clips, held_s=0.0) as house:
        running(house)
        play(house, "started", match_id="one", clip=names[0])
        play(house, "ended", match_id="one", ended_s=9.0, clip=names[0])
        house.tell(sound, cluster_id="RUN-1", clip=names[1])
        complaints(browser)
        browser.get(house.address)
        until(browser, "document.querySelectorAll('#airings li').length === 1")
        assert not run(browser, "document.querySelector('.marking').childElementCount")  # nothing is held
        click(browser, "#airings summary")
        for place in ("#airings .rest", "[data-kind=RUN-1]"):
            buttons = f"[...document.querySelectorAll('{place} button')]"
            find = f"{buttons}.find((one) => one.textContent === 'Find this ever after')"
            until(browser, find)
            run(browser, f"{find}.click()")
            browser.switch_to.active_element.send_keys(f"from {place[1:4]}\n")
            until_text(browser, place, "is found from now on.")
        assert house.control.marked == [
            ("kitchen", "from air", names[0]), ("kitchen", "from dat", names[1]),
        ]  # fmt: skip
        assert complaints(browser) == []
        browser.get("about:blank")


def test_a_visitor_enters_the_token_once(browser, tmp_path):
    token = "0123456789abcdef"
    with PagedListener(tmp_path, token=token) as house:
        running(house)
        complaints(browser)
        browser.get(house.address)
        browser.switch_to.active_element.send_keys("wrong\n")
        until_text(browser, "main p", "not the one of the page")
        browser.switch_to.active_element.send_keys(f"{token}\n")
        until_text(browser, "#link", "live")
        browser.get(house.address)
        until_text(browser, "#link", "live")
        assert [one for one in complaints(browser) if "401" not in one] == []
        browser.get("about:blank")


def test_a_source_is_paused(page, listener):
    page.find_element("xpath", "//button[text()='Pause']").click()
    deadline = time.monotonic() + DEADLINE_S
    while not listener.control.paused and time.monotonic() < deadline:
        time.sleep(0.05)
    assert listener.control.paused == [("kitchen", True)]


def test_the_spectrum_of_a_clip_is_drawn(browser, tmp_path):
    clips = ClipFolder(tmp_path / "clips")
    tone = 0.3 * np.sin(2 * np.pi * 880 * np.arange(2 * 22_050) / 22_050)
    clips.write("kitchen/match-one.flac", encoded(sixteen_bits(tone.astype(np.float32)), "flac"))
    with PagedListener(tmp_path, clips=clips) as house:
        running(house)
        play(house, "started", match_id="one", clip="kitchen/match-one.flac")
        play(house, "ended", match_id="one", ended_s=9.0, clip="kitchen/match-one.flac")
        complaints(browser)
        browser.get(house.address)
        until(browser, "document.querySelectorAll('#airings li').length === 1")
        click(browser, "#airings summary")
        until(browser, "document.querySelector('#airings audio')")
        click(browser, "#airings .rest > button.plain")
        loudest = until(browser, """(() => {
            const canvas = document.querySelector('canvas.spectrum');
            if (!canvas) return null;
            const { data } = canvas.getContext('2d').getImageData(canvas.width >> 1, 0, 1, canvas.height);
            const dark = Array.from({ length: canvas.height }, (_, row) => data[4 * row + 3]);
            const row = dark.indexOf(Math.max(...dark));
            return [canvas.height - 1 - row, dark.filter((one) => one > 99).length];
        })()""")  # fmt: skip
        assert abs(loudest[0] - 24 * np.log2(880 / 55)) <= 1
        assert loudest[1] < 12
        assert complaints(browser) == []
        browser.get("about:blank")


def test_health_is_told(page, listener):
    running(listener, "reconnecting", reason="the server is away", level_dbfs=None)
    until_text(page, "#vitals", "reconnecting: the server is away")
    until_text(page, "#vitals", "mqtt://broker")
    assert "12" in text(page, "#vitals")


def test_names_from_outside_are_text(page, listener):
    track = Track(id="x", title=HOSTILE, artist=HOSTILE, album=HOSTILE)
    running(listener, stream_metadata={"StreamTitle": HOSTILE})
    play(listener, track=track)
    play(listener, "ended", track=track, ended_s=9.0)
    play(listener, track=track, match_id="again")
    until_text(page, ".title", "<img")
    until_text(page, "#airings", "<img")
    assert not run(page, "document.querySelectorAll('img').length")
    assert complaints(page) == []


def test_nothing_is_asked_of_anybody_else(page, listener):
    play(listener)
    until_text(page, ".title", "Gymnopédie")
    run(page, "void 0")
    assert {address.split("/")[2] for address in requests(page)} == {listener.address.split("/")[2]}


def busy(listener):
    """A listener with something in every part of its page."""
    for number in range(3):
        began = datetime.now(UTC) - timedelta(minutes=20 - 5 * number)
        track = Track(
            id=f"t{number}", title=f"A piece with a rather long name, number {number}", artist="Somebody"
        )
        play(listener, "started", match_id=f"m{number}", track=track, time=began)
        play(listener, "ended", match_id=f"m{number}", track=track, ended_s=9.0, time=began)
    for number in range(4):
        listener.tell(sound, cluster_id=f"RUN-{number}", features={"level_db": -0.5, "a": 0.1, "b": 0.9})
    play(
        listener,
        match_id="on",
        track=Track(id="o", title="Überlange-Wörter-ohne-Ende-und-Anfang", artist="X" * 60),
    )
    listener.sound()


def axe_core():
    """The script of axe-core, which a package for tests carries."""
    for name in ("axe_core_python", "axe_playwright_python"):
        found = importlib.util.find_spec(name)
        if found is not None and (script := Path(found.origin).with_name("axe.min.js")).is_file():
            return script
    return None


@pytest.mark.parametrize("dark", [False, True])
def test_everybody_can_use_it(listener, dark):
    axe = axe_core()
    if axe is None:
        pytest.skip("axe-core is not there: pip install axe-core-python")
    busy(listener)
    with open_chromium(window=(1200, 1000), dark=dark) as chrome:
        chrome.get(listener.address)
        until(
            chrome,
            "document.querySelector('.link.live') && document.querySelectorAll('#airings li').length === 4",
        )
        run(chrome, "document.querySelectorAll('details').forEach((one) => one.open = true)")
        click(chrome, ".marking button")
        click(chrome, "#kinds button")
        assert run(chrome, "matchMedia('(prefers-color-scheme: dark)').matches") is dark
        chrome.execute_script(axe.read_text(encoding="utf-8"))
        found = chrome.execute_async_script(
            "axe.run().then((all) => arguments[0](all.violations), (error) => arguments[0]([String(error)]))"
        )
        assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in found] == []


def test_a_phone_shows_it_all_without_scrolling_sideways(listener):
    busy(listener)
    with open_chromium(window=(500, 800)) as chrome:  # no window is narrower
        chrome.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": 320, "height": 640, "deviceScaleFactor": 2, "mobile": True},
        )
        chrome.get(listener.address)
        until(
            chrome,
            "document.querySelector('.link.live') && document.querySelectorAll('#airings li').length === 4",
        )
        run(chrome, "document.querySelectorAll('details').forEach((one) => one.open = true)")
        click(chrome, ".marking button")
        assert run(chrome, "innerWidth") == 320
        assert run(chrome, "document.documentElement.scrollWidth") <= 320


def test_the_keyboard_reaches_everything(page, listener):
    busy(listener)
    until(page, "document.querySelectorAll('#airings li').length === 4")
    from selenium.webdriver.common.keys import Keys

    run(page, "document.body.focus()")
    reached = set()
    for _ in range(60):
        page.switch_to.active_element.send_keys(Keys.TAB)
        reached.add(
            run(
                page,
                "document.activeElement.closest('section, header')?.id || document.activeElement.tagName",
            )
        )
    assert {"now", "day", "history", "sounds"} <= reached
