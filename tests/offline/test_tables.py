"""Tables of descriptors: the same on any number of processes, resumed, whole or not at all."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.file import read_blocks
from stream_match.capture.repertoire import PIECES
from stream_match.capture.synth import render
from stream_match.cli import main
from stream_match.descriptors.gtzan import COLUMNS
from stream_match.descriptors.segments import SegmentDescriptors
from stream_match.descriptors.sets import SETS
from stream_match.errors import CatalogError, ParameterError, SinkError, UsageError
from stream_match.offline.tables import described, formats, table
from stream_match.offline.tables.described import Recipe, describe_file
from stream_match.offline.tables.table import make_table

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    """Three pieces in two folders, and what is too short."""
    folder = tmp_path_factory.mktemp("music")
    (folder / "disc").mkdir()
    for number, name in enumerate(("disc/one", "disc/two", "three")):
        y = render(PIECES[number])[: (7 + 6 * number) * SAMPLE_RATE_HZ]
        soundfile.write(folder / f"{name}.wav", y, SAMPLE_RATE_HZ, "FLOAT")
    return folder


@pytest.fixture
def with_bad(music, tmp_path):
    """The same, a file of one second, one that is empty, and one that is no audio."""
    folder = tmp_path / "with_bad"
    folder.mkdir()
    (folder / "good").symlink_to(music)
    soundfile.write(folder / "blip.wav", np.zeros(SAMPLE_RATE_HZ, "f4"), SAMPLE_RATE_HZ)
    (folder / "empty.wav").touch()
    (folder / "text.mp3").write_text("no audio" * 99)
    return folder


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    return rows[0], [row[0] for row in rows[1:]], np.array([[float(v) for v in row[1:]] for row in rows[1:]])


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", ["rp", "ssd"])
def test_rows_are_what_the_library_says_of_the_files(music, tmp_path, name):
    report = make_table([music], tmp_path / "t.csv", name=name, jobs=1)
    header, ids, values = read(tmp_path / "t.csv")
    assert header == ["id", *SETS[name].columns]
    assert ids == ["disc/one", "disc/two", "three"]
    for track, row in zip(ids, values, strict=True):
        expected = SegmentDescriptors()
        for y in read_blocks(music / f"{track}.wav"):
            expected.feed(y)
        np.testing.assert_array_equal(
            row, expected.rhythm_pattern() if name == "rp" else expected.spectrum_descriptor()
        )
    assert (report.tracks, report.rows, report.resumed, report.skipped) == (3, 3, 0, ())
    assert report.audio_s == pytest.approx(7 + 13 + 19, abs=0.01)
    assert left_in(tmp_path) == ["t.csv"]


def test_on_two_processes_it_is_the_same_to_the_byte(music, tmp_path):
    make_table([music], tmp_path / "one.csv", name="rp", jobs=1)
    make_table([music], tmp_path / "two.csv", name="rp", jobs=2)
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


def test_a_file_that_is_several_tracks_by_links_is_described_as_each(music, tmp_path):
    folder = tmp_path / "links"
    folder.mkdir()
    for name in "abc":
        (folder / f"{name}.wav").symlink_to(music / "disc/one.wav")
    make_table([folder], tmp_path / "t.csv", name="ssd", jobs=2)
    _, ids, values = read(tmp_path / "t.csv")
    assert ids == ["a", "b", "c"]
    np.testing.assert_array_equal(values[0], values[1])


def test_windows_are_rows_of_their_own(music, tmp_path, librosa):
    report = make_table([music], tmp_path / "t.csv", name="gtzan", window_s=3.0, jobs=1)
    header, ids, values = read(tmp_path / "t.csv")
    assert header == ["id", "start_s", *COLUMNS]
    assert ids == ["disc/one"] * 2 + ["disc/two"] * 4 + ["three"] * 6
    assert values[:, 0].tolist() == [0, 3, 0, 3, 6, 9, 0, 3, 6, 9, 12, 15]
    assert (report.tracks, report.rows) == (3, 12)
    y = np.concatenate(list(read_blocks(music / "disc/two.wav")))[: 3 * SAMPLE_RATE_HZ * 4]
    pieces = y.reshape(4, -1)
    np.testing.assert_array_equal(values[2:6, 1:], [SETS["gtzan"].describe([piece]) for piece in pieces])


@pytest.mark.parametrize("sizes", [[10], [1, 2, 3, 4], [7, 3], [3, 3, 3, 1], [25], [0, 9, 16]])
def test_windows_do_not_depend_on_blocks(sizes):
    y = np.arange(sum(sizes), dtype=np.float32)
    found = list(described._windows(np.split(y, np.cumsum(sizes)[:-1]), 3))
    np.testing.assert_array_equal(found, y[: len(y) // 3 * 3].reshape(-1, 3))


def test_parquet_holds_what_csv_does(music, tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(formats, "_GROUP_ROWS", 2)
    for suffix in ("csv", "parquet"):
        make_table([music], tmp_path / f"t.{suffix}", name="ssd", window_s=6.5, jobs=1)
    header, ids, values = read(tmp_path / "t.csv")
    stored = parquet.read_table(tmp_path / "t.parquet")
    assert stored.column_names == header
    assert stored.column("id").to_pylist() == ids
    np.testing.assert_array_equal(np.stack([stored.column(n).to_numpy() for n in header[1:]], axis=1), values)
    about = stored.schema.metadata
    assert (about[b"stream_match.set"], about[b"stream_match.window_s"]) == (b"ssd", b"6.5")


def test_bad_files_are_told_and_do_not_stop_the_rest(with_bad, tmp_path, capfd):
    assert (
        main(["features", str(with_bad), "--set", "ssd", "--out", str(tmp_path / "t.csv"), "--jobs", "1"])
        == 1
    )
    out, err = capfd.readouterr()
    told = [line for line in err.splitlines() if line.startswith("stream-match: skipped:")]
    assert out == ""
    assert len(told) == 3
    assert any("blip.wav' has 1.0 s, but ssd needs 6.0 s" in line for line in told)
    assert any("empty.wav' is empty" in line for line in told)
    assert any("text.mp3' is no audio" in line for line in told)
    assert err.splitlines()[-1].startswith(f"stream-match: {tmp_path / 't.csv'} holds 3 rows of 3 tracks;")
    assert len(read(tmp_path / "t.csv")[1]) == 3


def test_a_set_that_breaks_over_one_file_is_told(music, tmp_path, monkeypatch):
    def breaks(blocks):
        if sum(map(len, blocks)) < 8 * SAMPLE_RATE_HZ:
            raise ZeroDivisionError
        return np.full(168, np.nan) if breaks.nan else np.zeros(168)

    broken = SETS["ssd"].__class__("ssd", SETS["ssd"].columns, 2000, None, breaks)
    monkeypatch.setitem(SETS, "ssd", broken)
    breaks.nan = False
    report = make_table([music], tmp_path / "t.csv", name="ssd", jobs=1)
    assert [why for _, why in report.skipped] == [
        f"'{music / 'disc/one.wav'}' cannot be described (ZeroDivisionError)"
    ]
    breaks.nan = True
    with pytest.raises(CatalogError, match="no file could be described"):
        make_table([music], tmp_path / "t.csv", name="ssd", jobs=1)
    assert left_in(tmp_path) == ["t.csv"]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_run_that_was_killed_goes_on_where_it_was(music, tmp_path, jobs):
    kill = (
        "import os, signal, stream_match.offline.tables.resumed as resumed\n"
        "from stream_match.catalog import workers\n"
        "import sys\n"
        "def killed(*args, on_done, **kw):\n"
        "    def done(number, result):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return workers.each_file(*args, on_done=done, **kw)\n"
        "resumed.each_file = killed\n"
        "from pathlib import Path\n"
        "from stream_match.offline.tables import table\n"
        "table.make_table([Path(sys.argv[1])], Path(sys.argv[2]), name='ssd', jobs=int(sys.argv[3]))\n"
    )
    script, out = tmp_path / "kill.py", tmp_path / "t.csv"
    script.write_text(f"if __name__ == '__main__':\n    {kill.replace(chr(10), chr(10) + '    ')}")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    for expected in (1, 2):
        subprocess.run([sys.executable, script, music, out, jobs], env=env, check=False, timeout=60)
        assert not out.exists()
        rows = [path for path in (tmp_path / ".t.csv.parts").iterdir() if path.suffix == ".rows"]
        assert len(rows) >= expected
    report = make_table([music], out, name="ssd", jobs=1)
    assert (report.tracks, report.resumed) == (3, len(rows))
    assert left_in(tmp_path) == ["kill.py", "t.csv"]
    make_table([music], tmp_path / "whole.csv", name="ssd", jobs=1)
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_a_run_that_is_interrupted_leaves_what_is_whole(music, tmp_path, monkeypatch):
    reading = table.describe_file

    def interrupted(path, rows, recipe):
        if path.name == "two.wav":
            rows.with_suffix(".part").touch()
            raise KeyboardInterrupt
        return reading(path, rows, recipe)

    with monkeypatch.context() as patched:
        patched.setattr(table, "describe_file", interrupted)
        with pytest.raises(KeyboardInterrupt):
            make_table([music], tmp_path / "t.csv", name="ssd", jobs=1)
    assert [path.suffix for path in (tmp_path / ".t.csv.parts").iterdir()] == [".rows"]
    assert make_table([music], tmp_path / "t.csv", name="ssd", jobs=1).resumed == 1


def test_what_has_changed_is_described_again(music, tmp_path, monkeypatch):
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("disc/one.wav", "three.wav"):
        (copy / Path(name).name).write_bytes((music / name).read_bytes())

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setitem(table.WRITERS, ".csv", full)
        with pytest.raises(SinkError, match="cannot be written: No space left on device"):
            make_table([copy], tmp_path / "t.csv", name="ssd", jobs=1)
    assert left_in(tmp_path) == [".t.csv.parts", "copy"]
    (copy / "one.wav").write_bytes((music / "disc/two.wav").read_bytes())
    assert make_table([copy], tmp_path / "t.csv", name="ssd", jobs=1).resumed == 1
    assert left_in(tmp_path) == ["copy", "t.csv"]
    expected = describe_file(music / "disc/two.wav", tmp_path / "x.rows", Recipe("ssd", None))
    np.testing.assert_array_equal(read(tmp_path / "t.csv")[2][0], np.fromfile(expected.rows))


def test_on_a_full_disk_the_table_that_was_there_stays(music, tmp_path, monkeypatch):
    out = tmp_path / "t.csv"
    out.write_text("before")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(table, "describe_file", full)
    with pytest.raises(SinkError, match=r"t\.csv' cannot be written: No space left on device"):
        make_table([music], out, name="ssd", jobs=1)
    assert out.read_text() == "before"
    assert left_in(tmp_path) == ["t.csv"]


def test_what_is_too_long_to_be_described_at_once_is_told(music, tmp_path, monkeypatch):
    gtzan = SETS["gtzan"]
    short = gtzan.__class__(
        "gtzan",
        gtzan.columns,
        gtzan.shortest_samples,
        8 * SAMPLE_RATE_HZ,
        lambda b: np.zeros(57 * len(list(b)))[:57],
    )
    monkeypatch.setitem(SETS, "gtzan", short)
    report = make_table([music], tmp_path / "t.csv", name="gtzan", jobs=1)
    assert (report.tracks, len(report.skipped)) == (1, 2)
    assert (
        "is longer than 0.133333 min, the most that gtzan describes at once; give --window 30."
        in report.skipped[0][1]
    )


def test_one_writer_at_a_time(music, tmp_path):
    from stream_match.catalog.lock import one_writer

    folder = tmp_path / ".t.csv.parts"
    folder.mkdir()
    with one_writer(folder), pytest.raises(CatalogError, match="is being written by another process"):
        make_table([music], tmp_path / "t.csv", name="ssd", jobs=1)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("--set", "mfcc", "--out", "t.csv"), "invalid choice: 'mfcc'"),
        (("--set", "rp", "--out", "t.xlsx"), "--out 't.xlsx' does not end in .csv or .parquet"),
        (("--set", "rp", "--out", "no/t.csv"), "is in a folder that is not there"),
        (("--set", "rp", "--out", "t.csv", "--window", "3"), "the window has 3 s; rp takes from 6 s up"),
        (("--set", "gtzan", "--out", "t.csv", "--window", "0.05"), "takes from 0.1 s to 600 s"),
        (("--set", "gtzan", "--out", "t.csv", "--window", "x"), "'x' is no number above 0"),
        (
            (
                "--set",
                "rp",
            ),
            "the following arguments are required: --out",
        ),
    ],
)
def test_a_mistake_is_one_sentence(music, tmp_path, monkeypatch, capfd, args, told):
    monkeypatch.chdir(tmp_path)
    try:
        status = main(["features", str(music), *args])
    except SystemExit as error:
        status = error.code
    out, err = capfd.readouterr()
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert told in err
    assert left_in(tmp_path) == []


def test_without_pyarrow_the_message_says_what_to_do(music, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pip install .*\[table\]', or name a table ending in \.csv"):
        make_table([music], tmp_path / "t.parquet", name="rp")


def test_windows_that_are_no_lengths_are_refused(music, tmp_path):
    for window_s in (float("nan"), float("inf"), -3.0, 0.0):
        with pytest.raises(ParameterError, match="gtzan takes from"):
            make_table([music], tmp_path / "t.csv", name="gtzan", window_s=window_s)
