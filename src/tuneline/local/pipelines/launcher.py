"""Inside a task's process: run a KFP function with `/gcs/` at hand, then bring what it wrote to the object store.

Run as a plain script (`python -P launcher.py FOLDER`) by whatever Python the task needs, so it imports nothing but the
standard library and kfp. FOLDER holds `task.json`: the `executor_input`, and the `source` and `function` of a
lightweight component or the `argv` of a command.

On Vertex AI `artifact.path` is below `/gcs/`, a mount of Cloud Storage. Here it is below `FOLDER/gcs/`: an artifact is
fetched when its path is first asked for, and every file that is new or changed at the end is stored.
"""

import http.client
import json
import os
import subprocess
import sys
import traceback
import urllib.parse
from pathlib import Path

CHUNK = 1 << 20


def main(folder):
    """Run the task of this folder; returns the exit code. The error of a component is left in `error.json`."""
    with open(os.path.join(folder, "task.json")) as file:
        task = json.load(file)
    mount = Mount(Path(folder, "gcs"), made=output_uris(task["executor_input"]))
    code = 0
    try:
        if "argv" in task:
            code = run_command(task, mount)
        else:
            run_function(task, mount, folder)
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
        if isinstance(leaving.code, str):
            print(leaving.code, file=sys.stderr)
    except BaseException as error:  # noqa: BLE001 - whatever a component raises is its own error, kept for the record
        code = report(error, folder)
    try:
        mount.store_changes()
    except OSError as error:
        code = report(error, folder)
    return code


def run_function(task, mount, folder):
    """Call the component's function as `kfp.dsl.executor_main` does."""
    os.environ["_KFP_RUNTIME"] = "true"
    from kfp.dsl import executor, utils
    from kfp.dsl.types import artifact_types

    artifact_types._GCS_LOCAL_MOUNT_PREFIX = mount.prefix
    plain = artifact_types.Artifact._get_path

    def fetched(artifact):
        if artifact.uri.startswith("gs://") and not artifact.custom_path:
            mount.fetch(artifact.uri)
        return plain(artifact)

    artifact_types.Artifact._get_path = fetched
    module = os.path.join(folder, "ephemeral_component.py")
    with open(module, "w", encoding="utf-8") as file:
        file.write(task["source"])
    component = utils.load_module(module_name="ephemeral_component", module_directory=folder)
    function = getattr(component, task["function"])
    executor.Executor(executor_input=task["executor_input"], function_to_execute=function).execute()


def run_command(task, mount):
    """Run a command that finds its input artifacts, and leaves its outputs, below the mount."""
    for uri in input_uris(task["executor_input"]):
        mount.fetch(uri)
    for uri in mount.made:
        os.makedirs(os.path.dirname(mount.path(uri)), exist_ok=True)
    for output in task["executor_input"]["outputs"].get("parameters", {}).values():
        os.makedirs(os.path.dirname(output["outputFile"]), exist_ok=True)
    code = subprocess.run(task["argv"], check=False).returncode
    return 128 - code if code < 0 else code


def report(error, folder):
    """Say it in the log as Python does, and keep it for the run's record."""
    traceback.print_exception(error)
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    temporary = os.path.join(folder, "error.json.new")
    with open(temporary, "w") as file:
        json.dump({"type": name, "message": str(error)}, file)
    os.replace(temporary, os.path.join(folder, "error.json"))
    return 1


def output_uris(executor_input):
    return set(uris(executor_input["outputs"]))


def input_uris(executor_input):
    return uris(executor_input["inputs"])


def uris(side):
    found = [artifact["uri"] for among in side.get("artifacts", {}).values() for artifact in among["artifacts"]]
    return [uri for uri in found if uri.startswith("gs://")]


class Mount:
    """A folder that stands in for `/gcs/`."""

    def __init__(self, folder, *, made):
        self.folder = folder
        self.prefix = f"{folder}/"
        self.made = made
        self.fetched = {}
        self.asked = set()

    def path(self, uri):
        """Where an object lies below the mount; an address that would lead out of it is refused."""
        parts = uri.removeprefix("gs://").split("/")
        if ".." in parts or "" in parts[:1]:
            raise OSError(f"{uri} cannot be a file name")
        return os.path.join(self.folder, *parts)

    def fetch(self, uri):
        """Bring an object, or everything below it, to the mount; once. What is not there stays absent."""
        if uri in self.asked or uri in self.made:
            return
        self.asked.add(uri)
        bucket, _, name = uri.removeprefix("gs://").partition("/")
        if name and not name.endswith("/") and self.download(bucket, name):
            return
        for found in listed(bucket, name.rstrip("/") + "/" if name else ""):
            if not found.endswith("/"):
                self.download(bucket, found)

    def download(self, bucket, name):
        path = self.path(f"gs://{bucket}/{name}")
        with Request("GET", f"/storage/v1/b/{quote(bucket)}/o/{quote(name)}?alt=media") as answer:
            if answer.status == 404:
                answer.read()
                return False
            check(answer, f"cannot read gs://{bucket}/{name}")
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                while piece := answer.read(CHUNK):
                    file.write(piece)
        self.fetched[path] = stamp(path)
        return True

    def store_changes(self):
        """Store every file below the mount that is not as it was fetched."""
        for folder, _, files in os.walk(self.folder):
            for file in files:
                path = os.path.join(folder, file)
                if self.fetched.get(path) == stamp(path):
                    continue
                bucket, _, name = os.path.relpath(path, self.folder).replace(os.sep, "/").partition("/")
                if name:
                    upload(path, bucket, name)
                    self.fetched[path] = stamp(path)


def stamp(path):
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns


def upload(path, bucket, name):
    place = f"/upload/storage/v1/b/{quote(bucket)}/o?uploadType=media&name={quote(name)}"
    with open(path, "rb") as file:
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(os.path.getsize(path))}
        with Request("POST", place, file, headers) as answer:
            check(answer, f"cannot write gs://{bucket}/{name}")
            answer.read()


def listed(bucket, prefix):
    token = ""
    while True:
        with Request(
            "GET", f"/storage/v1/b/{quote(bucket)}/o?prefix={quote(prefix)}&pageToken={quote(token)}"
        ) as answer:
            if answer.status == 404:
                return
            check(answer, f"cannot list gs://{bucket}/{prefix}")
            page = json.loads(answer.read())
        for item in page.get("items", ()):
            yield item["name"]
        token = page.get("nextPageToken", "")
        if not token:
            return


def quote(text):
    return urllib.parse.quote(text, safe="")


def check(answer, what):
    if answer.status >= 300:
        raise OSError(f"{what}: HTTP {answer.status} {answer.read(2000).decode('utf-8', 'replace')}")


class Request:
    """One exchange with the object store of the local service, over a connection of its own."""

    def __init__(self, method, place, body=None, headers=None):
        host = os.environ.get("STORAGE_EMULATOR_HOST", "")
        if not host:
            raise OSError(
                "STORAGE_EMULATOR_HOST is not set: there is no object store to read artifacts from or write to"
            )
        self.connection = http.client.HTTPConnection(urllib.parse.urlsplit(host).netloc, timeout=600)
        self.arguments = (method, place, body, headers or {})

    def __enter__(self):
        self.connection.request(*self.arguments)
        return self.connection.getresponse()

    def __exit__(self, *_):
        self.connection.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
