"""Reports in a real browser: nothing is asked of the network, nothing is complained of, and all works."""

import re

import numpy as np
import pytest
import soundfile
from chromium import complaints, open_chromium, requests
from report_samples import HOSTILE, made_up_tracks

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.offline.reports.collection_page import write_collection
from stream_match.offline.reports.recording_page import report_recording

pytest.importorskip("matplotlib")

MANY = 10_000


@pytest.fixture(scope="module")
def browser():
    with open_chromium() as chrome:
        yield chrome


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Two recordings, one with a name that a browser must not take for anything else."""
    folder = tmp_path_factory.mktemp("pages")
    t = np.arange(2 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    for name in ("tone.wav", "javascript:alert(1) #?%41.wav"):
        soundfile.write(folder / name, 0.5 * np.sin(2 * np.pi * 440 * t), SAMPLE_RATE_HZ)
    return folder


@pytest.fixture(scope="module")
def large(home):
    """A page of 10,000 made-up tracks, two of which can be played."""
    tracks = made_up_tracks(MANY)
    names = ("tone.wav", "javascript:alert(1) #?%41.wav")
    files = {tracks.ids[row]: home / name for row, name in zip((0, 1), names, strict=True)}
    write_collection(made_up_tracks(MANY, files=files), home / "large.html")
    return home / "large.html"


@pytest.fixture
def collection(browser, large):
    return opened(browser, large)


def opened(chrome, page):
    complaints(chrome), requests(chrome)
    chrome.get(page.as_uri())
    return chrome


def run(chrome, script, *arguments):
    return chrome.execute_script(f"return {script}", *arguments)


def text_of(chrome, selector):
    return run(chrome, "document.querySelector(arguments[0]).innerText", selector)


def keys(chrome, *pressed):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    chain = ActionChains(chrome)
    for key in pressed:
        chain.send_keys(getattr(Keys, key, key))
    chain.perform()


def move_to(chrome, selector, dx, dy):
    """Move the pointer to a place in an element, counted from its upper left corner."""
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By

    element = chrome.find_element(By.CSS_SELECTOR, selector)
    run(chrome, "arguments[0].scrollIntoView({ block: 'center', behavior: 'instant' })", element)
    size = element.size
    chain = ActionChains(chrome, duration=0)
    chain.move_to_element_with_offset(element, round(dx - size["width"] / 2), round(dy - size["height"] / 2))
    return chain


def rows_in_view(chrome):
    return run(
        chrome,
        "[...document.querySelectorAll('#tracks tbody tr[data-row]')].map((row) => row.cells[0].innerText)",
    )


def data_of(chrome, key):
    return run(chrome, f"JSON.parse(document.getElementById('data').textContent).{key}")


def place_of(chrome, row):
    """Where a track is on the canvas."""
    return run(chrome, "map.place(arguments[0])", row)


def far_point(chrome):
    """The track that is farthest to the right: nothing is near it that could be meant instead."""
    return int(np.argmax(data_of(chrome, "x")))


def test_a_recording(browser, home):
    page = home / "tone.html"
    report_recording(home / "tone.wav", page)
    opened(browser, page)
    assert run(browser, "document.images.length") == 7
    assert run(browser, "[...document.images].every((image) => image.complete && image.naturalWidth > 900)")
    assert run(browser, "document.documentElement.scrollWidth <= innerWidth")
    length = browser.execute_async_script("""
        const player = document.querySelector("audio"), done = arguments[0];
        player.addEventListener("loadedmetadata", () => done(player.duration));
        player.addEventListener("error", () => done(player.error.message));
        player.load(); player.preload = "auto";""")
    assert length == pytest.approx(2.0, abs=0.1)
    assert complaints(browser) == []
    assert {address.rpartition("/")[2] for address in requests(browser)} == {"tone.html", "tone.wav"}


def test_a_large_collection_asks_for_nothing_and_complains_of_nothing(collection, large):
    assert requests(collection) == [large.as_uri()]
    assert complaints(collection) == []
    assert text_of(collection, "h1") == "made up"
    assert text_of(collection, "#count") == "10,000 of 10,000 tracks"
    assert len(rows_in_view(collection)) < 100
    drawn = run(
        collection,
        """(() => {
        const canvas = document.getElementById("canvas");
        const dots = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        return dots.filter((value, at) => at % 4 === 3 && value > 0).length / (dots.length / 4); })()""",
    )
    assert drawn > 0.02


def test_the_policy_stops_what_is_not_of_the_page(collection):
    run(
        collection,
        """(() => {
        const image = '<img src="https://a.example/x.png" onerror="window.ran = 1">';
        document.body.insertAdjacentHTML("beforeend", image);
        const script = document.createElement("script");
        script.textContent = "window.ran = 1";
        document.body.append(script); })()""",
    )
    assert run(collection, "window.ran") is None
    assert any("Content Security Policy" in message for message in complaints(collection))


def test_pointing_tells_a_track_and_a_click_chooses_it(collection):
    row = far_point(collection)
    title, artist = data_of(collection, f"title[{row}]"), data_of(collection, f"artist[{row}]")
    assert run(collection, "document.getElementById('tip').hidden")
    chain = move_to(collection, "#canvas", *place_of(collection, row))
    chain.perform()
    assert text_of(collection, "#tip").split("\n")[:2] == [title, artist]
    chain.click().perform()
    assert text_of(collection, "#chosen h3") == title
    near = [data_of(collection, f"title[{other}]") for other in data_of(collection, f"near[{row}]")]
    shown = run(collection, "[...document.querySelectorAll('#chosen li')].map((item) => item.innerText)")
    assert len(shown) == 5
    assert all(line.startswith(name) for line, name in zip(shown, near, strict=True))
    move_to(collection, "#canvas", 2, 2).perform()
    assert run(collection, "document.getElementById('tip').hidden")


def test_a_neighbour_is_chosen_by_a_click(collection):
    run(collection, "document.querySelector('#tracks tbody button').click()")
    first = run(collection, "document.querySelector('#chosen li button').innerText")
    run(collection, "document.querySelector('#chosen li button').click()")
    assert text_of(collection, "#chosen h3") == first


def test_the_map_by_keys(collection):
    run(collection, "document.getElementById('canvas').focus()")
    keys(collection, "ARROW_RIGHT")
    first = text_of(collection, "#said")
    assert first.startswith("Piece ")
    x = []
    for _ in range(5):
        keys(collection, "ARROW_RIGHT")
        title = text_of(collection, "#said").partition(",")[0]
        x.append(data_of(collection, f"x[{data_of(collection, 'title').index(title)}]"))
    assert x == sorted(x)
    assert len(set(x)) > 1
    keys(collection, "ENTER")
    assert text_of(collection, "#chosen h3") == title
    before = place_of(collection, 0)
    keys(collection, "+", "+")
    assert place_of(collection, 0) != before
    keys(collection, "0")
    assert place_of(collection, 0) == pytest.approx(before)
    keys(collection, "ESCAPE")
    assert run(collection, "document.getElementById('tip').hidden")


def test_the_wheel_zooms_about_the_pointer_and_dragging_moves(collection):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.actions.wheel_input import ScrollOrigin
    from selenium.webdriver.common.by import By

    row = far_point(collection)
    place = place_of(collection, row)
    move_to(collection, "#canvas", *place).perform()
    canvas = collection.find_element(By.CSS_SELECTOR, "#canvas")
    dx, dy = (round(place[0] - canvas.size["width"] / 2), round(place[1] - canvas.size["height"] / 2))
    ActionChains(collection).scroll_from_origin(ScrollOrigin.from_element(canvas, dx, dy), 0, -400).perform()
    assert place_of(collection, row) == pytest.approx(place, abs=4)
    assert place_of(collection, 0) != pytest.approx(place_of(collection, row), abs=100)
    before = place_of(collection, row)
    drag = ActionChains(collection, duration=0).move_to_element(canvas).click_and_hold()
    drag.move_by_offset(-50, 30).move_by_offset(-50, 30).release().perform()
    moved = np.subtract(place_of(collection, row), before)
    np.testing.assert_allclose(moved, (-100, 60), atol=2)
    assert text_of(collection, "#chosen") == "Point at a track, or choose one."  # a drag is no choice
    run(collection, "document.getElementById('whole').click()")
    assert place_of(collection, row) == pytest.approx(place)


def test_search_filters(collection):
    search = "document.getElementById('search')"
    run(collection, f"{search}.focus()")
    keys(collection, *"ETUDES 00004")  # accents and case do not matter
    assert text_of(collection, "#count") == "1 of 10,000 tracks"
    assert rows_in_view(collection) == ["Piece 4 in E"]
    keys(collection, *["BACKSPACE"] * 5)
    assert text_of(collection, "#count") == "1,666 of 10,000 tracks"
    keys(collection, *"no such")
    assert text_of(collection, "#count") == "0 of 10,000 tracks"
    assert rows_in_view(collection) == []


def test_columns_sort_both_ways(collection):
    head = "document.querySelectorAll('#tracks thead button')"
    titles = run(collection, f"[...{head}].map((button) => button.textContent)")
    assert titles == ["title", "id", "artist", "genre", "tempo", "dBFS"]
    tempo = data_of(collection, "tempo")
    for word, expected in (("ascending", min(tempo)), ("descending", max(tempo))):
        run(collection, f"{head}[4].click()")
        assert run(collection, f"{head}[4].parentNode.getAttribute('aria-sort')") == word
        shown = run(collection, "document.querySelector('#tracks tbody tr[data-row]').cells[4].innerText")
        assert float(shown) == expected
    run(collection, f"{head}[0].click()")
    assert rows_in_view(collection)[:3] == ["Piece 0 in A", "Piece 1 in B", "Piece 2 in C"]  # numbers as such


def test_the_list_scrolls_to_its_end(collection):
    seen = set()
    for share in np.linspace(0, 1, 5):
        collection.execute_async_script(
            """const list = document.getElementById("scroller"), done = arguments[1];
            list.scrollTop = arguments[0] * list.scrollHeight;
            requestAnimationFrame(() => requestAnimationFrame(done));""",
            float(share),
        )
        rows = rows_in_view(collection)
        assert 10 < len(rows) < 100
        seen |= set(rows)
    assert {"Piece 0 in A", f"Piece {MANY - 1} in D"} <= seen
    # Rows are as high as the script reckons: the last one ends where the list does.
    gap = run(
        collection,
        """(() => {
        const list = document.getElementById("scroller"), rows = list.querySelectorAll("tbody tr[data-row]");
        const bottomOf = (element) => element.getBoundingClientRect().bottom;
        return bottomOf(list) - bottomOf(rows[rows.length - 1]); })()""",
    )
    assert abs(gap) < 3


def test_the_list_by_keys(collection):
    run(collection, "document.getElementById('scroller').focus()")
    held = "document.activeElement.innerText"
    keys(collection, "ARROW_DOWN")
    assert run(collection, held) == "Piece 0 in A"
    keys(collection, "ARROW_DOWN", "ARROW_DOWN", "ARROW_UP")
    assert run(collection, held) == "Piece 1 in B"
    keys(collection, "PAGE_DOWN", "PAGE_DOWN", "PAGE_DOWN")
    assert int(run(collection, held).split()[1]) > 20
    assert run(
        collection,
        """(() => {
        const row = document.activeElement.getBoundingClientRect();
        const list = document.getElementById("scroller").getBoundingClientRect();
        return row.top > list.top + 30 && row.bottom <= list.bottom; })()""",
    )
    keys(collection, "END")
    assert run(collection, held) == f"Piece {MANY - 1} in D"
    keys(collection, "ENTER")
    assert text_of(collection, "#chosen h3") == f"Piece {MANY - 1} in D"
    assert run(collection, held) == f"Piece {MANY - 1} in D"  # still there, though the row is another element
    keys(collection, "HOME")
    assert run(collection, held) == "Piece 0 in A"


def test_groups_are_hidden_and_shown(collection):
    row = far_point(collection)
    group = data_of(collection, f"group[{row}]")
    place = place_of(collection, row)
    button = f"document.getElementById('groups').children[{group}]"
    run(collection, f"{button}.click()")
    assert run(collection, f"{button}.getAttribute('aria-pressed')") == "false"
    assert run(collection, f"document.activeElement === {button}")
    move_to(collection, "#canvas", *place).perform()
    assert run(collection, "document.getElementById('tip').hidden")
    run(collection, f"{button}.click()")
    move_to(collection, "#canvas", place[0] - 1, place[1]).perform()
    assert text_of(collection, "#tip").startswith(data_of(collection, f"title[{row}]"))


@pytest.mark.parametrize("row", [0, 1])
def test_a_track_whose_file_is_there_is_played(collection, row):
    run(collection, f"document.querySelectorAll('#tracks .play button')[{row}].click()")
    played = collection.execute_async_script("""
        const done = arguments[0], player = document.querySelector("#chosen audio");
        const tell = () => done(player.error ? player.error.message : player.duration);
        if (player.readyState > 0) tell();
        else { player.addEventListener("loadedmetadata", tell); player.addEventListener("error", tell); }""")
    assert played == pytest.approx(2.0, abs=0.1)
    assert complaints(collection) == []


def test_near_duplicates_lead_to_the_map(browser, home):
    tracks = made_up_tracks(60)
    table = tracks.sets["gtzan"]
    table[59] = table[3]
    write_collection(tracks, home / "copies.html")
    opened(browser, home / "copies.html")
    run(browser, "document.querySelectorAll('#duplicates button')[1].click()")
    assert text_of(browser, "#chosen h3") == "Piece 59 in D"
    assert text_of(browser, "#chosen li").startswith("Piece 3 in D")


def test_hostile_names_are_only_shown(browser, home):
    ids = [f"{name} {number}" for number, name in enumerate(HOSTILE * 3)]
    titles = [*HOSTILE, *[None] * 16]
    write_collection(made_up_tracks(len(ids), ids=ids, titles=titles), home / "hostile.html")
    opened(browser, home / "hostile.html")
    assert rows_in_view(browser)[:3] == list(HOSTILE[:3])
    for row in range(len(HOSTILE)):
        run(browser, f"document.querySelector('#tracks tr[data-row=\"{row}\"] button').click()")
        assert (
            run(browser, "document.querySelectorAll('#chosen svg, #chosen img, #chosen script').length") == 0
        )
    assert requests(browser) == [(home / "hostile.html").as_uri()]
    assert complaints(browser) == []


@pytest.mark.parametrize("n", [1, 2])
def test_few_tracks_in_the_browser(browser, home, n):
    write_collection(made_up_tracks(n), home / "few.html")
    opened(browser, home / "few.html")
    run(browser, "document.querySelector('#tracks tbody button').click()")
    run(browser, "document.getElementById('canvas').focus()")
    keys(browser, "ARROW_LEFT", "ARROW_UP", "ENTER", "+", "-", "0")
    assert text_of(browser, "#chosen h3").startswith("Piece ")
    assert complaints(browser) == []


def test_dark_and_narrow(large):
    with open_chromium(window=(500, 900), dark=True) as chrome:
        opened(chrome, large)
        assert run(chrome, "matchMedia('(prefers-color-scheme: dark)').matches")
        assert run(chrome, "document.documentElement.scrollWidth <= innerWidth")
        style = "getComputedStyle(document.body)"
        colours = [run(chrome, f"{style}.{which}") for which in ("color", "backgroundColor")]
        light, dark = (int(re.search(r"\d+", colour)[0]) for colour in colours)
        assert light > 200 > 60 > dark
        assert run(chrome, "document.images[0].currentSrc !== document.images[0].src")
        assert complaints(chrome) == []
