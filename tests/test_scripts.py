"""The scripts: they parse, say what they are for, and say clearly what is missing."""

import csv
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from music import piece

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.catalog.build import build_index
from stream_match.catalog.folder import verify_index
from stream_match.catalog.rows import TrackRow
from stream_match.catalog.store import open_index
from stream_match.events import Evidence, MatchFacts, Track

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import count_alarms
import draw_lifecycle
import evaluate_descriptors
from evaluate_overlaps import Case, Part, overlap_told, scored

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "scripts"
SHELL = [SCRIPTS / "environment", SCRIPTS / "demo", SCRIPTS / "test", SCRIPTS / "check", ROOT / ".ci" / "run"]
BASH = shutil.which("bash") or pytest.skip("there is no bash", allow_module_level=True)


def run(*command, **env):
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [str(word) for word in command], capture_output=True, encoding="utf-8", timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": path, **env},
    )  # fmt: skip


@pytest.mark.parametrize("script", SHELL, ids=lambda path: path.name)
def test_shell_scripts_parse(script):
    done = run(BASH, "-n", script)
    assert (done.returncode, done.stderr) == (0, "")
    assert os.access(script, os.X_OK) == (script.name != "environment")  # that one is sourced


PYTHON = [
    "build_index.py",
    "check_stations.py",
    "count_alarms.py",
    "count_odd_alarms.py",
    "draw_page.py",
    "draw_reports.py",
    "evaluate.py",
    "evaluate_descriptors.py",
    "evaluate_growth.py",
    "evaluate_memory.py",
    "evaluate_outage.py",
    "evaluate_overlaps.py",
    "evaluate_sharing.py",
    "evaluate_similarity.py",
    "evaluate_streams.py",
    "export_schemas.py",
    "grow_index.py",
    "learn_shapes.py",
    "make_background.py",
    "make_demo.py",
    "make_performances.py",
    "soak.py",
    "train_genre.py",
]


@pytest.mark.parametrize("name", PYTHON)
def test_python_scripts_have_help(name):
    done = run(sys.executable, SCRIPTS / name, "--help")
    assert done.returncode == 0
    assert "usage: " in done.stdout


def test_alarms_are_counted(tmp_path):
    known, unknown = tmp_path / "known", tmp_path / "unknown"
    for folder, seeds in ((known, (1, 2, 3)), (unknown, (1, 9))):
        folder.mkdir()
        for seed in seeds:
            soundfile.write(folder / f"p{seed}.wav", piece(seed, 15), SAMPLE_RATE_HZ)
    (unknown / "notes.txt").write_text("no audio")
    build_index([known], tmp_path / "index")
    done = run(sys.executable, SCRIPTS / "count_alarms.py", tmp_path / "index", unknown, unknown / "p9.wav")
    assert done.returncode == 0
    assert "notes.txt" in done.stderr
    counted = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| p")]
    assert [counted[0][0], counted[0][2], counted[0][3]] == ["| p1.wav", "p1", "recording"]


def test_an_index_grows(tmp_path):
    known, out = tmp_path / "known", tmp_path / "out"
    known.mkdir()
    for seed in (1, 2):
        soundfile.write(known / f"p{seed}.wav", piece(seed, 15), SAMPLE_RATE_HZ)
    build_index([known], tmp_path / "index", jobs=1)
    how = ("--hours", 70 / 3600, "--out", out, "--segment-hours", 40 / 3600)
    done = run(sys.executable, SCRIPTS / "grow_index.py", tmp_path / "index", *how)
    assert done.returncode == 0
    assert verify_index(out) == []
    grown = open_index(out)
    assert [row.id for row in grown.rows] == ["p1", "p1~0", "p2", "p1~1", "p2~0"]
    assert len(grown.segments) == 2
    own = open_index(tmp_path / "index")
    assert np.array_equal(grown.catalogue.codes(0), own.catalogue.codes(0))
    apart = np.bitwise_count(grown.catalogue.codes(0) ^ grown.catalogue.codes(1)).sum(axis=1)
    assert apart.min() > 0.25 * own.manifest.settings.n_bits


def test_the_tail_of_false_alarms_is_found_again():
    scores = 5.6 + np.random.default_rng(1).exponential(1.6 / math.log(10), 5000)
    line = count_alarms.fitted(scores.tolist(), 500.0, 5.6)  # ten an hour reach 5.6
    assert line.score_per_decade == pytest.approx(1.6, rel=0.05)
    assert line.score_for(10.0) == pytest.approx(5.6, abs=0.05)
    assert line.score_for(0.1) == pytest.approx(8.8, abs=0.2)
    assert count_alarms.fitted([7.0] * 19, 500.0, 5.6) is None
    assert count_alarms.fitted([5.6] * 20, 500.0, 5.6) is None


def test_overlaps_are_made_and_heard(tmp_path):
    known = tmp_path / "known"
    known.mkdir()
    for seed in (1, 2, 3):
        soundfile.write(known / f"p{seed}.wav", piece(seed, 45), SAMPLE_RATE_HZ)
    build_index([known], tmp_path / "index", jobs=1)
    kinds = ["fade-2", "mix+0", "copies", "loops"]
    done = run(
        sys.executable, SCRIPTS / "evaluate_overlaps.py", tmp_path / "index", known, "--excerpts", 1,
        *(word for kind in kinds for word in ("--only", kind)), "--out", tmp_path / "rows.csv",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = [line.split(" | ") for line in done.stdout.splitlines()]
    assert [line[0] for line in told if line[1:2] == ["1"]] == [f"| {kind}" for kind in kinds]
    with (tmp_path / "rows.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["kind"] for row in rows] == [kind for kind in kinds for _ in "AB"]
    assert float(rows[0]["told_s"]) < 10
    assert float(rows[1]["starts_s"]) == pytest.approx(15)
    assert float(rows[1]["started_s"]) == pytest.approx(15, abs=3)


def test_overlaps_of_other_audio_say_so(tmp_path):
    soundfile.write(tmp_path / "p1.wav", piece(1, 5), SAMPLE_RATE_HZ)
    build_index([tmp_path], tmp_path / "index")
    done = run(sys.executable, SCRIPTS / "evaluate_overlaps.py", tmp_path / "index", tmp_path)
    assert done.returncode == 1
    assert "has 1 of the files of" in done.stderr


def matched(number, track, started_s, ended_s, *, same=()):
    same_recording = tuple(Track(id=name) for name in same)
    return MatchFacts(
        phase="ended", match_id=str(number), stream_s=50, started_s=started_s, ended_s=ended_s, reference_s=1,
        track=Track(id=track), score=9, confidence=1, false_alarms_per_hour=0.01,
        evidence=Evidence(
            faiss_votes=1, lsh_votes=1, similarity=0.5, coverage=1, same_recording=same_recording
        ),
    )  # fmt: skip


def test_overlaps_are_scored():
    parts = (Part("a", 0, 0, 25), Part("b", 0, 10, 35))
    case = Case("mix+0", 0, parts)
    matches = [matched(1, "a", 0.5, 12), matched(2, "a2", 20, 26, same=["a"]), matched(3, "b", 14, 31)]
    others = [matched(4, "c", 14, 31), matched(5, "b", 40, 45)]
    a, b = scored(case, matches + others, {"1": 2, "2": 22, "3": 16, "4": 16, "5": 42})
    assert (a.told_s, a.start_error_s, a.end_error_s, a.ends_close, len(a.matches)) == (2, 0.5, 1, True, 2)
    assert (b.told_s, b.start_error_s, len(b.matches), b.others) == (16, 4, 2, ("c",))
    assert overlap_told(a, b) == pytest.approx(5 / 15)  # from 20 to 25 s, of 10 to 25 s
    late = scored(case, matches, {"1": 2, "2": 22, "3": 36})[1]
    assert (late.told_s, late.start_error_s, late.end_error_s, late.ends_close) == (None, None, None, False)


def test_evaluation_without_the_kit_says_so(tmp_path):
    done = run(sys.executable, SCRIPTS / "evaluate.py", tmp_path / "corpus", "--kit", tmp_path)
    assert done.returncode == 2
    assert "no measuring kit" in done.stderr
    assert "--kit" in done.stderr
    assert not (tmp_path / "corpus").exists()


MAKES = {
    "corpus.py": "corpus.csv",
    "queries.py": "queries/queries.csv",
    "stream.py": "stream/truth.csv",
    "versions.py": None,
    "score.py": None,
}
RUN = """
import json, pathlib, sys
out = pathlib.Path(sys.argv[sys.argv.index("--out") + 1])
print("## Index", *sys.argv[2:4])
for name, content in {
    "costs": {"index": {"index CPU s per audio hour": 10.0, "index bytes per audio hour": 2e6}, "stream":
        {"CPU s per stream second": 0.0125}, "identify": {"CPU s per query second": 0.1}},
    "identify": {"negatives": {"clean/3": {"fp": 0.25, "n": 8}, "room/3": {"fp": 0.0, "n": 8}}},
    "stream": {"summary": {"hours": 1.0, "false alarms": 2, "of these wrong tracks": 1}},
}.items():
    (out / f"{name}.json").write_text(json.dumps(content))
"""


@pytest.fixture
def kit(tmp_path):
    """A kit that makes empty files, measures nothing, and prints its name."""
    folder = tmp_path / "kit"
    folder.mkdir()
    for script, makes in MAKES.items():
        place = "sys.argv[-1]" if script == "corpus.py" else "sys.argv[1]"
        code = f"p = pathlib.Path({place}, '{makes}'); p.parent.mkdir(parents=True, exist_ok=True); p.touch()"
        (folder / script).write_text(
            f"import pathlib, sys\nprint('made by {script}')\n{code if makes else ''}"
        )
    (folder / "run.py").write_text(RUN)
    for tool in ("ffmpeg", "rubberband", "espeak-ng", "stream-match"):
        fake = folder / tool
        fake.write_text(f"#!{BASH}\n")
        fake.chmod(0o755)
    return folder


def test_evaluation_makes_what_is_missing_measures_and_reports(kit, tmp_path):
    corpus = tmp_path / "corpus"
    product = kit / "stream-match"
    command = (sys.executable, SCRIPTS / "evaluate.py", corpus, "--kit", kit, "--stream-match", product)
    path = f"{kit}{os.pathsep}{os.environ['PATH']}"
    done = run(*command, PATH=path)
    assert done.returncode == 0, done.stderr
    made = [line for line in done.stdout.splitlines() if line.startswith("made by")]
    assert made == ["made by corpus.py", "made by queries.py", "made by stream.py"]
    report = (corpus / "run" / "report.md").read_text()
    assert f"## Index --stream-match {product}" in report
    for figure in (
        "| 6 |",
        "| 2,000,000 |",
        "| 0.1 |",
        "| 0.0125 |",
        "| 2 of 16 queries |",
        "| 2 in 1.00 h, ",
    ):
        assert figure in report
    again = run(*command, PATH=path)
    assert "made by" not in again.stdout
    (kit / "run.py").write_text("raise SystemExit(1)")
    failed = run(*command, PATH=path)
    assert failed.returncode == 1
    assert "run.py failed" in failed.stderr


def fake_python(folder, behaviour):
    for name in ("python3", "python3.13", "python3.12", "python3.11"):
        path = folder / name
        path.write_text(f"#!{BASH}\n{behaviour}\n")
        path.chmod(0o755)


@pytest.fixture
def project(tmp_path):
    """A copy of what the environment needs, and a path with nothing but the tools it may use."""
    home, tools = tmp_path / "project", tmp_path / "tools"
    shutil.copytree(SCRIPTS, home / "scripts")
    shutil.copy(ROOT / "pyproject.toml", home)
    tools.mkdir()
    for tool in ("basename", "cksum", "dirname", "head", "mkdir", "rm", "touch"):
        (tools / tool).symlink_to(shutil.which(tool))
    return home, tools


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        (
            '[[ $1 == --version ]] && echo "Python 3.9.2"; exit 1',
            "3.11 or newer is needed, found Python 3.9.2",
        ),
        ("[[ $2 != *ensurepip* ]]", "apt-get install python3-venv"),
    ],
)
def test_an_unfit_python_is_told(project, behaviour, said):
    home, tools = project
    fake_python(tools, behaviour)
    done = run(BASH, home / "scripts" / "demo", PATH=str(tools))
    assert done.returncode == 1
    assert said in done.stderr
    assert not (home / ".venv").exists()


MAKES_ENVIRONMENTS = """\
case $2 in
  venv)
    mkdir -p "$3/bin"
    : >"$3/bin/leftover-$$"
    printf '%s' "$FAKE" >"$3/bin/python"
    chmod +x "$3/bin/python"
    ;;
esac
"""
FAKE = f"""#!{BASH}
[[ $2 == pip ]] || exit 0
[[ -e $HERE/connected ]] || exit 1
printf '#!{BASH}\\necho "$@"' >"${{0%/*}}/stream-match"
chmod +x "${{0%/*}}/stream-match"
"""


def test_an_interrupted_installation_heals_and_a_whole_one_is_kept(project):
    home, tools = project
    (tools / "chmod").symlink_to(shutil.which("chmod"))
    fake_python(tools, MAKES_ENVIRONMENTS)
    world = {"PATH": str(tools), "FAKE": FAKE, "HERE": str(home)}
    demo = home / "scripts" / "demo"
    done = run(BASH, demo, **world)
    assert done.returncode == 1
    assert "run this again" in done.stderr
    left = set((home / ".venv" / "bin").glob("leftover-*"))
    (home / "connected").touch()
    done = run(BASH, demo, "--pace", "fast", **world)
    assert (done.returncode, done.stdout) == (0, "demo --pace fast\n")
    assert left.isdisjoint((home / ".venv" / "bin").glob("leftover-*"))
    (home / "connected").unlink()
    done = run(BASH, demo, **world)
    assert (done.returncode, done.stdout, done.stderr) == (0, "demo\n", "")
    (home / "pyproject.toml").write_text("another")
    assert run(BASH, demo, **world).returncode == 1


def test_an_environment_that_was_moved_is_made_anew(project):
    home, tools = project
    (tools / "chmod").symlink_to(shutil.which("chmod"))
    fake_python(tools, MAKES_ENVIRONMENTS)
    (home / "connected").touch()
    assert run(BASH, home / "scripts" / "demo", PATH=str(tools), FAKE=FAKE, HERE=str(home)).returncode == 0
    moved = home.rename(home.with_name("moved"))
    left = set((moved / ".venv" / "bin").glob("leftover-*"))
    done = run(BASH, moved / "scripts" / "demo", PATH=str(tools), FAKE=FAKE, HERE=str(moved))
    assert done.returncode == 0
    assert left.isdisjoint((moved / ".venv" / "bin").glob("leftover-*"))


def test_the_docs_show_the_life_cycle_as_the_code_has_it():
    shown = (ROOT / "docs" / "recordings.md").read_text(encoding="utf-8")
    for table in draw_lifecycle.tables():
        assert "\n".join(table) in shown


def test_neighbours_of_one_package_are_counted_without_copies():
    rng = np.random.default_rng(0)
    rows = [TrackRow(id=f"{n % 3}/{n}", seconds=1.0, codes=1, sha256=f"{n:02x}" * 32) for n in range(12)]
    rows[5] = rows[5].model_copy(update={"copies": (rows[2].sha256,)})
    package = [row.id.split("/")[0] for row in rows]
    same = np.array([[one == other for other in package] for one in package])
    copies = evaluate_descriptors._one_recording(rows)
    assert {(int(a), int(b)) for a, b in np.argwhere(copies) if a < b} == {(2, 5)}
    far = rng.random((12, 12))
    shares = evaluate_descriptors._shares(far, same, ~copies)
    for query in range(12):
        others = [n for n in np.argsort(far[query]) if n != query and {n, query} != {2, 5}]
        for at, k in enumerate(evaluate_descriptors.AT):
            assert shares[query, at] == pytest.approx(np.mean([same[query, n] for n in others[:k]]))
