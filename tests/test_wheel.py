"""The built wheel is whole: installed into a fresh environment, away from the checkout, it does its work."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from stream_match.shipped import shipped

ROOT = Path(__file__).parents[1]
SHIPPED = ("background", "demo", "onsets", "schema", "shapes")


def run(*command, cwd, **env):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        [str(word) for word in command], capture_output=True, encoding="utf-8", timeout=120, check=False,
        cwd=cwd, env={**kept, **env},
    )  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy: setuptools writes beside its sources, and takes what older builds left there."""
    setuptools = pytest.importorskip("setuptools")
    if int(setuptools.__version__.partition(".")[0]) < 71:
        pytest.skip("this setuptools needs a network to build a wheel")
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for folder in ("stream_match", "models"):
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (source / "models" / "mine").mkdir()  # as README says to build one's own index
    (source / "models" / "mine" / "tracks.jsonl").write_text("{}")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = (sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-index", "--no-build-isolation")
    done = run(*pip, "--wheel-dir", out, source, cwd=out)
    assert done.returncode == 0, done.stderr
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The wheel in an environment of its own, which borrows nothing but the dependencies."""
    home = tmp_path_factory.mktemp("fresh")
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index")
    done = run(*pip, wheel, cwd=home)
    assert done.returncode == 0, done.stderr
    places = sysconfig.get_paths(vars={"base": str(home), "platbase": str(home)})
    borrowed = Path(places["purelib"]) / "borrowed.pth"
    borrowed.write_text(sysconfig.get_path("purelib") + "\n")
    return home


def test_the_wheel_holds_every_module_and_every_model(wheel):
    files = {
        path.relative_to(folder.parent).as_posix()
        for folder in (ROOT / "stream_match", *(ROOT / "models" / name for name in SHIPPED))
        for path in folder.rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }
    expected = {f"stream_match/models/{name}" if name.startswith(SHIPPED) else name for name in files}
    held = set(zipfile.ZipFile(wheel).namelist())
    assert expected - held == set()
    assert {name for name in held - expected if ".dist-info/" not in name} == set()


def test_it_says_its_version(installed, tmp_path):
    from importlib.metadata import version

    done = run(installed / "bin" / "stream-match", "--version", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"stream-match {version('stream-match')}\n", "")


def test_it_says_how_to_add_an_extra_from_the_clone(installed, tmp_path):
    python = installed / "bin" / "python"
    asked = "from stream_match.errors import install_command; print(install_command('stream'))"
    done = run(python, "-c", asked, cwd=tmp_path)
    assert done.stdout == f"in the clone: {python} -m pip install '.[stream]'\n", done.stderr


def test_the_demo_runs_outside_the_checkout(installed, tmp_path):
    pytest.importorskip("amqtt")
    where = run(
        installed / "bin" / "python", "-c", "import stream_match; print(stream_match.__file__)", cwd=tmp_path
    )
    assert Path(where.stdout.strip()).is_relative_to(installed)
    done = run(installed / "bin" / "stream-match", "demo", "--pace", "fast", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "▶" in done.stdout
    assert "real-time factor" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_checkout_finds_its_own():
    assert shipped("demo") == ROOT / "models" / "demo"
