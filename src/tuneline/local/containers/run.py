"""The process that stands for a container: `python -m tuneline.local.containers.run FOLDER`.

It copies what the container needs into it, runs it, and copies out what it wrote: files below `/gcs/` go to the object
store, those below `/tuneline/` into FOLDER. Copying, rather than mounting folders, leaves no file of another owner
here. SIGTERM stops the container as it would a process. Whatever becomes of this process, a second one that waits for
its end removes the container.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import types
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tuneline.local.containers.engine import Engine
from tuneline.local.containers.task import CERTIFICATE, HOME, MOUNT
from tuneline.local.pipelines import launcher
from tuneline.local.pipelines.job_file import INSTALLING

STOP_S = 8
"""What the container has between SIGTERM and SIGKILL; less than its process here has."""
UNTOUCHED = 1
"""Modification time given to what is copied in, so that whatever is written after it shows."""
CERTIFICATES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
REMOVER = 'cat >/dev/null; exec "$0" rm --force --volumes "$1" >/dev/null 2>&1'


class Failed(Exception):
    """The engine refused a command; the message is its own."""


class Container:
    """One container from its creation to its removal."""

    def __init__(self, folder: Path, task: dict[str, Any]) -> None:
        self.folder = folder
        self.task = task
        self.engine = Engine(**task["engine"])
        self.name = f"tuneline-{uuid.uuid4().hex}"
        self.mount = launcher.Mount(folder / "gcs", made=set(task.get("made", ())))
        self.stopping = False
        self.installing: dict[str, str] = json.loads(os.environ.get(INSTALLING, "{}")) if task["installs"] else {}
        """What the user has set for pip: its index, proxy, certificates."""

    def run(self) -> int:
        """The container's exit code; raises Failed where the engine could not run it."""
        shutil.rmtree(self.mount.folder, ignore_errors=True)  # of a try before this one
        with Remover(self.engine, self.name):
            self._create()
            for uri in self.task["fetch"]:
                if _split(uri)[1]:
                    self.mount.fetch(uri)
            self._put()
            code = self._start()
            self._take()
        self.mount.store_changes()
        shutil.rmtree(self.mount.folder, ignore_errors=True)  # all of it is in the object store by now
        return code

    def _create(self) -> None:
        given = [word for name, value in self.task["environment"].items() for word in ("--env", f"{name}={value}")]
        # What pip alone is given may hold secrets: it travels by the engine's own environment, and is named only.
        installing = {**self.installing, **{name: _inside(name) for name in self._certificates()}}
        given += [word for name in installing for word in ("--env", name)]
        entry, *first = self.task["entrypoint"] or [""]
        entrypoint = ["--entrypoint", entry] if entry else []
        place = ["--name", self.name, "--label", self.task["label"], "--network", "host"]
        # The time to stop is what a removal by force may take; `stop` says its own.
        place += ["--stop-timeout", "0"]
        words = [self.task["image"], *first, *self.task["arguments"]]
        self._call("create", *place, *given, *entrypoint, *words, environment=installing)

    def _start(self) -> int:
        """Run it to its end; what it says is said here."""
        if self.stopping:
            return 128 + signal.SIGTERM
        line = [self.engine.program, "start", "--attach", self.name]
        subprocess.run(line, env=self.engine.environment, check=False)
        said = self._call("inspect", "--format", "{{.State.ExitCode}} {{.State.OOMKilled}}", self.name)
        code, out_of_memory = said.split()
        if out_of_memory == "true":
            print("the container was killed: it used more memory than it may", file=sys.stderr)
        return int(code)

    def stop(self, number: int, frame: types.FrameType | None) -> None:
        """Ask the container to end; in a session of its own, since a signal to ours may follow."""
        self.stopping = True
        line = [self.engine.program, "stop", "--time", str(STOP_S), self.name]
        subprocess.Popen(
            line, env=self.engine.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip

    def _call(self, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        done = self.engine.call(*arguments, environment=environment)
        sys.stderr.write(done.stderr)
        if done.returncode:
            raise Failed(f"{Path(self.engine.program).name} {arguments[0]}: {done.stderr.strip() or done.returncode}")
        return done.stdout

    # -- what goes in and comes out ----------------------------------------------------------------------------

    def _put(self) -> None:
        """Copy the mount and our own folder in, writable by whatever user the image has."""
        copying = self._copy("-", f"{self.name}:/", stdin=subprocess.PIPE)
        assert copying.stdin is not None
        with tarfile.open(fileobj=copying.stdin, mode="w|") as archive:
            for name in sorted(self._folders()):
                archive.addfile(_entry(name, kind=tarfile.DIRTYPE, mode=0o777))
            for path in self.mount.fetched:
                name = MOUNT.strip("/") + path.removeprefix(self.mount.folder.as_posix())
                with open(path, "rb") as file:
                    archive.addfile(_entry(name, size=os.path.getsize(path), mode=0o666), file)
            given = {CERTIFICATE: self.task["certificate"]} if self.task["certificate"] else {}
            for name, path in {**given, **{_inside(n): p for n, p in self._certificates().items()}}.items():
                content = Path(path).read_bytes()
                archive.addfile(_entry(name, size=len(content), mode=0o644), io.BytesIO(content))
        copying.stdin.close()
        self._copied(copying)

    def _certificates(self) -> dict[str, str]:
        """The files of certificates that the user's pip trusts, by the variable that names each."""
        return {name: path for name, path in self.installing.items() if name in CERTIFICATES and os.path.isfile(path)}

    def _folders(self) -> set[str]:
        """Every folder that is to be there: above what was fetched, and above each output."""
        wanted = {f"{HOME}/outputs", f"{HOME}/gcloud"}
        for bucket, name in map(_split, [*self.mount.made, *self.task["fetch"]]):
            wanted.add(os.path.dirname(f"{MOUNT}{bucket}/{name}"))
        wanted |= {os.path.dirname(MOUNT + os.path.relpath(path, self.mount.folder)) for path in self.mount.fetched}
        return {
            parent.as_posix() for folder in {*wanted, MOUNT} for parent in (Path(folder), *Path(folder).parents[:-1])
        }

    def _take(self) -> None:
        """Copy out what the container wrote."""
        for inside, target in ((MOUNT.rstrip("/"), self.mount.folder), (f"{HOME}/outputs", self.folder / "outputs")):
            copying = self._copy(f"{self.name}:{inside}", "-", stdout=subprocess.PIPE)
            assert copying.stdout is not None
            with tarfile.open(fileobj=copying.stdout, mode="r|") as archive:
                for member, parts in _written(archive):
                    content = archive.extractfile(member)
                    assert content is not None
                    path = target.joinpath(*parts)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    with path.open("wb") as file:
                        shutil.copyfileobj(content, file)
            copying.stdout.read()
            self._copied(copying)

    def _copy(self, source: str, target: str, **pipes: Any) -> subprocess.Popen[bytes]:
        line = [self.engine.program, "cp", source, target]
        return subprocess.Popen(line, env=self.engine.environment, stderr=subprocess.PIPE, **pipes)

    def _copied(self, copying: subprocess.Popen[bytes]) -> None:
        assert copying.stderr is not None
        said = copying.stderr.read().decode("utf-8", "replace")
        if copying.wait():
            raise Failed(f"{Path(self.engine.program).name} cp: {said.strip()}")


class Remover:
    """Removes a container when this is left, or when this process dies, however it dies."""

    def __init__(self, engine: Engine, name: str) -> None:
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", REMOVER, engine.program, name],
            stdin=subprocess.PIPE,
            env=engine.environment,
            start_new_session=True,
        )

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def _inside(variable: str) -> str:
    """Where the container finds the file that a variable of the user's names."""
    return f"{HOME}/{variable.lower()}.pem"


def _split(uri: str) -> tuple[str, str]:
    """(bucket, name of the object or folder: '' for the whole bucket)."""
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    return bucket, name.rstrip("/")


def _entry(name: str, *, kind: bytes = tarfile.REGTYPE, size: int = 0, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name.strip("/"))
    entry.type, entry.size, entry.mode, entry.mtime = kind, size, mode, UNTOUCHED
    return entry


def _written(archive: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, list[str]]]:
    """(file, its path below the folder that was copied) of what was not copied in; no link leads out of it."""
    for member in archive:
        parts = member.name.strip("/").split("/")[1:]
        if member.isfile() and int(member.mtime) != UNTOUCHED and parts and not {"", ".", ".."} & set(parts):
            yield member, parts


def main(folder: str) -> int:
    """Run the container of this folder; an engine's refusal is left in `error.json`, as a component's error is."""
    task = json.loads(Path(folder, "task.json").read_text())
    container = Container(Path(folder).absolute(), task)
    signal.signal(signal.SIGTERM, container.stop)
    try:
        return container.run()
    except (Failed, OSError) as error:
        return launcher.report(error, folder)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
