"""Python environments for other authors' components: one for each set of requirements, made once, kept by its digest.

Run as `python -m tuneline.local.pipelines.environments TASK_FOLDER`: makes the environment that the task needs, if it
is not there yet, then becomes the task. What pip says is in the task's log and, kept, in `pip.log` of the environment.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tuneline.local.pipelines import launcher
from tuneline.local.pipelines.job_file import INSTALLING

KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "USER", "LOGNAME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
"""What pip has of the task's environment: not the proxy and certificates that lead Google's clients to the service."""
Installs = Sequence[Sequence[str]]


def digest(installs: Installs) -> str:
    """The name of the environment for these `pip install` lines and this Python."""
    content = json.dumps([sys.version, sys.prefix, [list(install) for install in installs]])
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def ensure(folder: Path, installs: Installs) -> Path:
    """The Python of the environment for `installs` below `folder`; raises CalledProcessError when pip fails.

    Safe when several tasks ask at once: one makes it, the others wait.
    """
    home = folder / digest(installs)
    home.mkdir(parents=True, exist_ok=True)
    python = home / "venv" / "bin" / "python"
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (home / "ready").exists():
            return python
        shutil.rmtree(home / "venv", ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home / "venv")], check=True)
        for install in installs:
            _pip(python, install, home / "pip.log")
        (home / "ready").touch()
    return python


def _pip(python: Path, install: Sequence[str], log: Path) -> None:
    """One `pip install` line, by the pip that is here for the Python that is there."""
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    environment |= json.loads(os.environ.get(INSTALLING, "{}"))
    argv = [sys.executable, "-m", "pip", "--python", str(python), "install", "--disable-pip-version-check", *install]
    print(f"making an environment of its own for this component: pip install {' '.join(install)}", flush=True)
    with log.open("ab") as file, _started(argv, environment) as process:
        assert process.stdout is not None
        for line in process.stdout:
            for target in (file, sys.stdout.buffer):
                target.write(line)
                target.flush()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, ["pip", "install", *install])


def _started(argv: Sequence[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def main(task_folder: str) -> None:
    task = json.loads(Path(task_folder, "task.json").read_text())
    try:
        python = ensure(Path(task["environments"]), task["installs"])
    except subprocess.CalledProcessError as error:
        sys.exit(f"the environment of this component could not be made: {error}")
    sys.stdout.flush()
    os.environ.pop(INSTALLING, None)
    path = f"{python.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    os.execve(python, [str(python), "-P", launcher.__file__, task_folder], {**os.environ, "PATH": path})


if __name__ == "__main__":
    main(sys.argv[1])
