"""Sounds of whole files and of recorded events."""

import json
import sys
import tracemalloc

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from onsets.onset_samples import placed

from stream_match.cli import main
from stream_match.errors import ParameterError, SourceError, install_command
from stream_match.sounds import Analysis, Sound, analyse_file
from stream_match.sounds.groups import GROUPINGS, grouped
from stream_match.sounds.recording import Outline, Recording
from stream_match.sounds.sonify import BEEP_S, Beeps

RATE_HZ = 22_050


@pytest.fixture(scope="module")
def drums(tmp_path_factory):
    from stream_match.capture.synth import drum_solo

    path = tmp_path_factory.mktemp("sounds") / "drums.wav"
    soundfile.write(path, drum_solo(6 * RATE_HZ, np.random.default_rng(0)), RATE_HZ)
    return path


@pytest.fixture
def run(capfd):
    def call(*args):
        status = main(["onsets", *map(str, args)])
        out, err = capfd.readouterr()
        return status, out.splitlines(), err

    return call


def test_the_worked_example_is_repeated_to_the_label(run, real_audio):
    pytest.importorskip("sklearn")
    expected = json.loads((real_audio / "seed" / "expected_125_bounce.json").read_text())
    path = real_audio / "seed" / "125_bounce.wav"
    status, lines, _ = run(path, "--method", "affinity", "--features", "seed", "--json")
    rows = [json.loads(line) for line in lines]
    assert status == 0
    assert len(rows) == 37
    assert [row["cluster"] for row in rows] == expected["affinity_labels"]
    assert [row["onset_s"] for row in rows] == pytest.approx(
        np.array(expected["onset_samples"]) / RATE_HZ, abs=1e-6
    )
    scaled = [[row["features"]["zero_crossings"], row["features"]["energy"]] for row in rows]
    np.testing.assert_allclose(scaled, expected["features_scaled"], atol=1e-3)


def test_three_drums_are_three_kinds(drums):
    found = analyse_file(drums)
    assert len({sound.cluster for sound in found.sounds}) in (3, 4)  # the kick ends with a click
    beats = [
        sound.cluster
        for sound in found.sounds
        if abs(sound.onset_s / 0.3 - round(sound.onset_s / 0.3)) < 0.05
    ]
    assert beats[0:16:4] == [beats[0]] * len(beats[0:16:4])


@pytest.mark.parametrize("features", ["timbre", "seed"])
@pytest.mark.parametrize("method", GROUPINGS)
def test_every_method_groups_every_sound(drums, method, features):
    clusters = 3 if method != "affinity" else None
    found = analyse_file(drums, method=method, features=features, clusters=clusters)
    assert len(found.sounds) >= 15
    if clusters:
        assert {sound.cluster for sound in found.sounds} == {0, 1, 2}
    for sound in found.sounds:
        assert all(-1 <= value <= 1 for value in sound.features.values())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"method": "nonsense"}, "expected one of online"),
        ({"features": "mfcc"}, "expected one of timbre, seed"),
        ({"features": "mfcc", "method": "affinity"}, "expected one of timbre, seed"),
        ({"detector": "foo"}, "expected one of streaming, librosa"),
        ({"method": "kmeans"}, "has to be told"),
        ({"method": "kmeans", "clusters": 10_000}, "give 1 to"),
        ({"method": "affinity", "clusters": 2}, "leave --clusters out"),
        ({"method": "online", "clusters": 2}, "leave --clusters out"),
        ({"method": "online", "detector": "librosa"}, "streaming detector"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(drums, words, message):
    with pytest.raises(ParameterError, match=message):
        analyse_file(drums, **words)


def test_one_sound_is_one_group():
    assert grouped(np.zeros((1, 2)), "affinity", None) == [0]


@pytest.mark.parametrize(("method", "clusters"), [("online", None), ("kmeans", 3)])
def test_a_sound_just_before_the_end_is_told(tmp_path, method, clusters):
    y, starts = placed([0, 1, 2, 1, 2])
    path = tmp_path / "cut.wav"
    soundfile.write(path, y[: starts[-1] + 1000], 22_050)  # 45 ms of the last one
    told = [one.onset_s for one in analyse_file(path, method=method, clusters=clusters).sounds]
    assert told == pytest.approx(starts / 22_050, abs=0.01)


def test_silence_has_no_sounds(run, tmp_path):
    path = tmp_path / "silence.wav"
    soundfile.write(path, np.zeros(RATE_HZ), RATE_HZ)
    for method in ((), ("--method", "affinity")):
        status, lines, err = run(path, *method, "--sonify", tmp_path / "s.wav")
        assert (status, lines) == (0, [])
        assert "onsets: 0, clusters: 0" in err
    assert run(path, "--method", "kmeans")[0] == 2


METHODS = {
    "online": (),
    "kmeans": ("--method", "kmeans", "--clusters", 1),
    "seed": ("--method", "affinity", "--features", "seed"),
    "librosa": ("--method", "agglomerative", "--clusters", 1, "--detector", "librosa"),
    "sonify": ("--sonify", "out.flac"),
    "plot": ("--plot", "out.png"),
}


@pytest.mark.parametrize("name", METHODS)
def test_a_long_recording_is_heard_bit_by_bit(run, tmp_path, monkeypatch, name):
    if name == "plot":
        pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    y = np.zeros(600 * RATE_HZ, np.float32)
    for second in (100, 590):
        y[second * RATE_HZ : second * RATE_HZ + 4] = 0.5
    soundfile.write("short.wav", y[: 110 * RATE_HZ], RATE_HZ)
    soundfile.write("long.wav", y, RATE_HZ)
    run("short.wav", *METHODS[name], "--json")  # what is imported
    tracemalloc.start()
    status, lines, _ = run("long.wav", *METHODS[name], "--json")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    onsets = [json.loads(line)["onset_s"] for line in lines]
    assert status == 0
    assert onsets == pytest.approx([100, 590], abs=0.03 if name in ("seed", "librosa") else 0.001)
    assert most < 0.6 * y.nbytes  # its samples are never held as a whole


def test_what_is_wrong_with_a_file_is_told_once_however_often_it_is_read(run, tmp_path, caplog):
    path = tmp_path / "cut.wav"
    soundfile.write(path, placed([0, 1, 2, 3] * 4)[0], RATE_HZ)
    path.write_bytes(path.read_bytes()[:-50_000])
    run(path, "--method", "affinity", "--features", "seed", "--sonify", tmp_path / "out.wav")
    assert caplog.text.count("broken off") == 1


def test_more_sounds_than_can_be_compared_with_each_other_are_refused(run, drums, monkeypatch):
    monkeypatch.setattr("stream_match.sounds.groups.MOST_PAIRWISE", 10)
    for method in (("affinity",), ("agglomerative", "--clusters", 2)):
        status, lines, err = run(drums, "--method", *method)
        assert (status, lines) == (2, [])
        assert "sounds are too many, it takes 10; take a shorter file" in err
    assert run(drums, "--method", "kmeans", "--clusters", 2)[0] == 0


def test_what_does_not_fit_into_a_file_is_refused(run, drums, tmp_path, monkeypatch):
    monkeypatch.setattr("stream_match.sounds.sonify.LONGEST_S", 3.0)
    status, lines, err = run(drums, "--sonify", tmp_path / "x.wav")
    assert status == 2
    assert lines  # the table is not lost
    assert "name one that ends in .flac" in err
    assert not list(tmp_path.iterdir())
    assert run(drums, "--sonify", tmp_path / "x.flac")[0] == 0


@settings(max_examples=50, deadline=None)
@given(n=st.integers(0, 20_000), cuts=st.lists(st.integers(0, 20_000), max_size=8), seed=st.integers(0, 9))
def test_an_outline_holds_every_sample_however_the_recording_is_cut(n, cuts, seed):
    y = np.random.default_rng(seed).standard_normal(n).astype(np.float32)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("stream_match.sounds.recording.MOST_COLUMNS", 20)
        outline = Outline()
        for part in np.split(y, sorted(min(cut, n) for cut in cuts)):
            outline.feed(part)
    lows, highs = outline.columns()
    starts = range(0, n, outline.step)
    np.testing.assert_array_equal(lows, [y[at : at + outline.step].min() for at in starts])
    np.testing.assert_array_equal(highs, [y[at : at + outline.step].max() for at in starts])
    assert len(lows) <= 24


def spoilt(path, how):
    """A recording of strokes, and what went wrong with it."""
    y, _ = placed([0, 1, 2, 3] * 4)
    if how == "clipped":
        y = np.clip(50 * y, -1, 1)
    if how == "not a number":
        y[20_000:20_100], y[30_000] = np.nan, np.inf
    soundfile.write(path, y if how != "nothing" else y[:0], RATE_HZ, subtype="FLOAT")
    if how == "cut off":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    if how == "empty":
        path.write_bytes(b"")


@pytest.mark.parametrize(
    ("how", "status", "least", "message"),
    [
        ("clipped", 0, 16, "onsets: "),
        ("not a number", 0, 16, "101 samples were no numbers"),
        ("cut off", 0, 7, "broken off"),
        ("empty", 1, 0, "is empty"),
        ("nothing", 1, 0, "holds no audio"),
    ],
)
def test_a_spoilt_recording_is_heard_as_far_as_it_goes(run, tmp_path, caplog, how, status, least, message):
    spoilt(tmp_path / "spoilt.wav", how)
    said, lines, err = run(tmp_path / "spoilt.wav")
    assert said == status
    assert least <= len(lines) <= 20
    assert message in err + caplog.text
    assert "Traceback" not in err


def test_a_table_for_people_and_a_line_of_json_each(run, drums):
    _, table, _ = run(drums)
    _, lines, _ = run(drums, "--json")
    assert len(table) == len(lines) > 15
    assert "cluster 0" in table[0]
    assert set(json.loads(lines[0])) == {"onset_s", "cluster", "features"}


def test_beeps_sound_where_the_onsets_are(run, drums, tmp_path):
    out = tmp_path / "beeps.wav"
    run(drums, "--sonify", out)
    y, rate_hz = soundfile.read(out)
    assert (y.shape, rate_hz) == ((6 * RATE_HZ, 2), RATE_HZ)
    sounds = analyse_file(drums).sounds
    right = Beeps(sounds).next(len(y))
    cut = Beeps(sounds)
    np.testing.assert_array_equal(np.concatenate([cut.next(n) for n in (7, 1_000, len(y) - 1_007)]), right)
    np.testing.assert_allclose(y[:, 1], right, atol=1e-4)
    for sound in sounds:
        assert np.abs(right[round(sound.onset_s * RATE_HZ) :][: round(BEEP_S * RATE_HZ)]).max() > 0.1


@pytest.mark.parametrize("args", [(), ("--method", "affinity", "--features", "seed")])
def test_a_picture_is_drawn(run, drums, tmp_path, args):
    pytest.importorskip("matplotlib")
    status, *_ = run(drums, *args, "--plot", tmp_path / "out.png")
    assert status == 0
    assert (tmp_path / "out.png").stat().st_size > 10_000


def test_without_matplotlib_one_sentence_says_what_to_install(run, drums, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    status, _, err = run(drums, "--plot", tmp_path / "out.png")
    assert status == 2
    assert install_command("plot") in err
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--plot", "no/such/folder/x.png"), "make 'no/such/folder' first"),
        (("--sonify", "no/such/folder/x.wav"), "make 'no/such/folder' first"),
        (("--plot", "pic"), "does not end in .png"),
        (("--sonify", "sound"), "no suffix of a sound"),
        (("--plot", "folder"), "is a folder"),
        (("--sonify", "folder"), "is a folder"),
        (("--method", "kmeans", "--sonify", "x.wav"), "has to be told"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_heard(
    run, tmp_path, monkeypatch, no_listening, args, message
):
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    status, lines, err = run("drums.wav", *args)
    assert (status, lines) == (2, [])
    assert message in err
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["folder"]


@pytest.fixture
def no_listening(monkeypatch):
    def read(_):
        raise AssertionError("it is read all the same")

    monkeypatch.setattr("stream_match.sounds.recording.read_blocks", read)


@pytest.mark.parametrize("link", [False, True])
def test_the_recording_is_not_written_over(run, drums, tmp_path, link):
    own = tmp_path / "own.wav"
    own.write_bytes(drums.read_bytes())
    out = tmp_path / "link.wav" if link else own
    if link:
        out.symlink_to(own)
    status, _, err = run(own, "--sonify", out)
    assert status == 2
    assert "would be lost" in err
    assert own.read_bytes() == drums.read_bytes()


@pytest.mark.parametrize("option", ["--plot", "--sonify"])
def test_what_breaks_off_while_it_is_written_leaves_what_was_there(run, drums, tmp_path, monkeypatch, option):
    figure = pytest.importorskip("matplotlib.figure").Figure
    out = tmp_path / ("x.png" if option == "--plot" else "x.wav")
    out.write_text("what was there")

    def broken(*args, **_):
        for path in args:
            if hasattr(path, "write_text"):
                path.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(soundfile.SoundFile, "write", broken)
    monkeypatch.setattr(figure, "savefig", broken)
    status, lines, err = run(drums, option, out)
    assert status == 1
    assert len(lines) > 15  # the table is not lost
    assert f"{str(out)!r} cannot be written: No space left on device" in err
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {out.name: "what was there"}


def test_a_result_is_as_readable_as_any_file(run, drums, tmp_path):
    (tmp_path / "any").write_text("")
    run(drums, "--sonify", tmp_path / "x.wav")
    assert (tmp_path / "x.wav").stat().st_mode == (tmp_path / "any").stat().st_mode


def of_kinds(n):
    """An analysis of so many kinds: kind k has n - k sounds."""
    features = {"centroid_octaves": 0.0, "decay_db": 0.0}
    kinds = [kind for kind in range(n) for _ in range(n - kind)]
    sounds = tuple(Sound(0.1 * at, kind, features) for at, kind in enumerate(kinds))
    recording = Recording("silence.wav")
    recording.samples = round(0.1 * len(sounds) * RATE_HZ)
    return Analysis(recording, sounds)


def drawn(monkeypatch, draw):
    pytest.importorskip("matplotlib")
    figures = []
    monkeypatch.setattr("stream_match.sounds.plot.save_figure", lambda figure, _: figures.append(figure))
    draw()
    return figures[0]


def test_the_legend_names_the_clusters_with_the_most_sounds(monkeypatch):
    from stream_match.sounds.plot import draw_analysis

    figure = drawn(monkeypatch, lambda: draw_analysis(of_kinds(23), "x.png", title=""))
    above, below = figure.axes
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == [*(f"{kind}  ({23 - kind})" for kind in range(20)), "3 more"]
    colours = [tuple(dots.get_facecolor()[0]) for dots in below.collections[:23]]
    assert len(set(colours[:20])) == 20
    assert colours[20:] == colours[:3]
    assert above.lines[0].get_linewidth() < 1.2


def test_more_clusters_than_rows_are_told(monkeypatch, tmp_path, run):
    from stream_match.sounds.plot import draw_events
    from stream_match.sounds.recorded import read_events

    path = tmp_path / "events.jsonl"
    first = {
        "schema": "stream_match.onset_cluster/1", "type": "onset_cluster", "event_id": "A", "node": "n",
        "source": "s", "time": "2026-01-01T00:00:00Z", "stream_s": 1.0, "onset_s": 1.0, "onset_id": "1",
        "strength": 3.0, "cluster_size": 1, "distance": 0.0, "doubt": 0.0, "new_cluster": True,
        "features": {},
    }  # fmt: skip
    kinds = [kind for kind in range(43) for _ in range(1 + kind % 2)]
    path.write_text("".join(json.dumps({**first, "cluster_id": f"c{kind}"}) + "\n" for kind in kinds))
    recorded = read_events(path)
    assert [len(own) for own in recorded.clusters.values()] == [2] * 21 + [1] * 22
    (axes,) = drawn(monkeypatch, lambda: draw_events(recorded, "x.png")).axes
    assert axes.get_title() == "64 sounds in 43 clusters: the 40 largest of 43"
    assert len(run("--from", path)[1]) == 43


def test_every_cluster_has_a_beep_of_its_own():
    kinds = range(45)
    n = round(BEEP_S * RATE_HZ)
    y = Beeps([Sound(kind * BEEP_S, kind, {}) for kind in kinds]).next(46 * n)
    each = [y[round(kind * BEEP_S * RATE_HZ) :][: n - 2] for kind in kinds]
    apart = [np.abs(one - other).max() for i, one in enumerate(each) for other in each[:i]]
    assert min(apart) > 0.05


def test_doubts_of_a_method_are_told_in_a_sentence(caplog):
    assert len(grouped(np.zeros((5, 2)), "kmeans", 3)) == 5
    (told,) = caplog.messages
    assert told.startswith("the method 'kmeans' has doubts about its clusters: ")
    assert "\n" not in told


def test_the_hour_is_drawn_from_recorded_events(run, drums, tmp_path):
    pytest.importorskip("matplotlib")
    events = tmp_path / "events.jsonl"
    assert main(["listen", "--source", str(drums), "--pace", "fast", "--sink", f"jsonl:{events}"]) == 0
    events.write_text(events.read_text() + "no event\n")
    status, lines, err = run("--from", events, "--plot", tmp_path / "hour.png")
    assert status == 0
    assert len(lines) in (3, 4)
    assert "no event known here: 1" in err
    assert (tmp_path / "hour.png").stat().st_size > 5_000
    _, lines, _ = run("--from", events, "--json")
    assert set(json.loads(lines[0])) == {"source", "cluster_id", "sounds", "first", "last"}


@pytest.mark.parametrize(
    ("args", "status", "message"),
    [
        ((), 2, "either a FILE"),
        (("a.wav", "--from", "b.jsonl"), 2, "either a FILE"),
        (("--from", "b.jsonl"), 1, "cannot be read"),
        (("--from", "b.jsonl", "--sonify", "x.wav"), 2, "hold no sound"),
        (("--from", "b.jsonl", "--method", "online"), 2, "--method needs a FILE"),
        (("--from", "b.jsonl", "--clusters", "2"), 2, "--clusters needs a FILE"),
        (("no.wav",), 1, "no file"),
    ],
)
def test_a_mistake_is_one_sentence(run, args, status, message):
    said = run(*args)
    assert said[0] == status
    assert message in said[2]
    assert "Traceback" not in said[2]


def test_of_a_recorded_sound_its_time_alone_is_held(tmp_path):
    from stream_match.sounds.recorded import read_events

    times = ["2026-01-01T10:00:00.5Z", "2026-01-01T12:00:00+02:00", "2026-01-01T09:59:59"]
    line = json.dumps({
        "schema": "stream_match.onset_cluster/1", "type": "onset_cluster", "event_id": "A", "node": "n",
        "source": "s", "time": "TIME", "stream_s": 1.0, "onset_s": 1.0, "onset_id": "1", "strength": 3.0,
        "cluster_id": "c", "cluster_size": 1, "distance": 0.0, "doubt": 0.0, "new_cluster": True,
        "features": {"level_db": 0.5, "decay_db": 0.25},
    })  # fmt: skip
    n_sounds = 3000
    path = tmp_path / "events.jsonl"
    with path.open("w") as file:
        file.writelines(line.replace("TIME", times[number % 3]) + "\n" for number in range(n_sounds))
    read_events(path)  # what is imported and cached
    tracemalloc.start()
    try:
        recorded = read_events(path)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 20 * n_sounds
    (own,) = recorded.clusters.values()
    expected = ["2026-01-01T10:00:00.500000", "2026-01-01T10:00:00.000000", "2026-01-01T09:59:59.000000"]
    assert own[:3].astype(str).tolist() == expected


def test_a_file_without_sounds_is_no_recording_of_events(tmp_path):
    from stream_match.sounds.recorded import read_events

    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(SourceError, match="holds no onset_cluster"):
        read_events(tmp_path / "empty.jsonl")
