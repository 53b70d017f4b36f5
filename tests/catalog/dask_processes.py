"""A real Dask scheduler and real workers, each a process of its own, on loopback."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]


class DaskProcesses:
    """A scheduler and its workers; all are killed in the end.

    Parameters
    ----------
    folder : Path
        Where they write; a worker called ``a`` keeps its things below ``a``.
    environment : mapping of str to str, optional
        Of all of them: Dask's configuration.
    """

    def __init__(self, folder, environment=None, protocol="tcp"):
        self.folder = folder
        self._environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            "OPENBLAS_NUM_THREADS": "1",
            "DASK_LOGGING__DISTRIBUTED": "warning",
            **(environment or {}),
        }
        self._workers = {}
        about = folder / "scheduler.json"
        self.scheduler = self._start(
            "scheduler", "dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--protocol", protocol,
            "--no-dashboard", "--scheduler-file", about,
        )  # fmt: skip
        self.address = wait_for(lambda: _address_in(about))

    def add_worker(self, name, preload="", port=0):
        """Start a worker with one thread, which first runs some code; return its process. 0 is any port."""
        options = ["--name", name, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
        options += ["--worker-port", port]
        if preload:
            script = self.folder / f"{name}_preload.py"
            script.write_text(preload)
            options += ["--preload", script]
        place = self.folder / name
        self._workers[name] = self._start(
            name, "dask_worker", self.address, *options, "--local-directory", place
        )
        return self._workers[name]

    def kept_by(self, name, pattern="*.frames"):
        """Return what a worker keeps of files."""
        return list((self.folder / name).glob(f"**/stream-match-*/{pattern}"))

    def log_of(self, name):
        """Return what a process has printed."""
        return (self.folder / f"{name}.log").read_text()

    def end(self):
        """Kill all of them."""
        for process in [*self._workers.values(), self.scheduler]:
            process.kill()
            process.wait()

    def end_workers(self):
        """Kill the workers."""
        for process in self._workers.values():
            process.kill()
            process.wait()
        self._workers.clear()

    def _start(self, name, module, *options):
        with (self.folder / f"{name}.log").open("w") as log:
            return subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{module}", *map(str, options)],
                env=self._environment,
                stdout=log,
                stderr=log,
                cwd=self.folder,  # nobody is where the test is
            )


def _address_in(about):
    try:
        return json.loads(about.read_text())["address"]
    except (OSError, ValueError):
        return None


def wait_for(condition, seconds=60):
    """Wait until something is the case, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found
