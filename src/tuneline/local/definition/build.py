"""Make `api.binpb.gz`, the API definition that the local service loads, from Google's own published files.

Sources (Apache-2.0, see NOTICE beside this file): the .proto files in the npm packages @google-cloud/aiplatform,
@google-ai/generativelanguage, @google-cloud/resource-manager and google-gax, compiled by protoc, and the REST discovery
documents in the PyPI package google-api-python-client, which have fields that the .proto files lack.

Run by hand when Google publishes new versions; needs npm, and an environment with grpcio-tools and
google-api-python-client, neither of which tuneline itself needs:

    python -m venv /tmp/build && /tmp/build/bin/pip install grpcio-tools google-api-python-client
    /tmp/build/bin/python src/tuneline/local/definition/build.py
"""

from __future__ import annotations

import gzip
import json
import subprocess
import tempfile
from pathlib import Path

from google.protobuf import descriptor_pb2
from overlay import add_discovery_fields, proto_fields

NPM = ("@google-cloud/aiplatform", "@google-ai/generativelanguage", "@google-cloud/resource-manager", "google-gax")
WANTED = (
    "google/cloud/aiplatform/v1/*.proto",
    "google/cloud/aiplatform/v1beta1/*.proto",
    "google/ai/generativelanguage/v1/*.proto",
    "google/ai/generativelanguage/v1beta/*.proto",
    "google/cloud/resourcemanager/v3/projects.proto",
    "google/longrunning/operations.proto",
    "google/cloud/location/locations.proto",
    "google/iam/v1/iam_policy.proto",
    "google/rpc/error_details.proto",
)
DISCOVERY = {"google.cloud.aiplatform.v1": "aiplatform.v1", "google.cloud.aiplatform.v1beta1": "aiplatform.v1beta1"}
OUT = Path(__file__).with_name("api.binpb.gz")
VERSIONS = Path(__file__).with_name("versions.json")


def fetch(folder: Path) -> tuple[list[Path], dict[str, str]]:
    """Unpack the npm packages under `folder`; answers the proto roots and the versions."""
    roots, versions = [], {}
    for name in NPM:
        packed = subprocess.run(
            ["npm", "pack", "--json", name], cwd=folder, check=True, capture_output=True, text=True
        ).stdout
        listed = json.loads(packed)
        entry = listed[0] if isinstance(listed, list) else next(iter(listed.values()))
        target = folder / entry["name"].replace("/", "_")
        target.mkdir()
        subprocess.run(["tar", "xzf", folder / entry["filename"], "-C", target], check=True)
        roots.append(target / "package" / "build" / "protos")
        versions[name] = entry["version"]
    return roots, versions


def compile_protos(roots: list[Path], folder: Path) -> descriptor_pb2.FileDescriptorSet:
    """Every wanted file with what it imports, without comments."""
    from grpc_tools import protoc

    files = sorted({str(p.relative_to(r)) for r in roots for pattern in WANTED for p in r.glob(pattern)})
    out = folder / "all.binpb"
    arguments = ["protoc", *[f"-I{root}" for root in roots], "--include_imports", f"--descriptor_set_out={out}"]
    if protoc.main([*arguments, *files]) != 0:
        raise SystemExit("protoc refused the files; its message is above")
    return descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())


def disagreements(files: descriptor_pb2.FileDescriptorSet) -> list[str]:
    """Where v1 and v1beta1 give one field two numbers or types: what one version sets there, the other cannot read."""
    one, two = (proto_fields(files, package) for package in DISCOVERY)
    shared = sorted(set(one) & set(two))
    return [
        f"{'.'.join(key)}: v1 {one[key].number} (type {one[key].type}), v1beta1 {two[key].number} ({two[key].type})"
        for key in shared
        if (one[key].number, one[key].type) != (two[key].number, two[key].type)
    ]


def main() -> None:
    from googleapiclient import discovery_cache, version

    documents = Path(discovery_cache.__file__).parent / "documents"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        roots, versions = fetch(folder)
        files = compile_protos(roots, folder)
    known = {package: proto_fields(files, package) for package in DISCOVERY}
    for package, document in DISCOVERY.items():
        other = next(fields for name, fields in known.items() if name != package)
        described = json.loads((documents / f"{document}.json").read_text())
        added, skipped = add_discovery_fields(files, package, described, other)
        print(f"{package}: {len(added)} fields from the discovery document; left out: {skipped or 'none'}")
        versions[f"discovery {document}"] = described["revision"]
    versions["google-api-python-client"] = version.__version__
    for line in disagreements(files):
        print("v1 and v1beta1 differ:", line)
    for file in files.file:
        file.ClearField("source_code_info")
    OUT.write_bytes(gzip.compress(files.SerializeToString(deterministic=True), 9, mtime=0))
    VERSIONS.write_text(json.dumps(versions, indent=2) + "\n")
    print(
        f"{OUT.name}: {OUT.stat().st_size:,} bytes, {sum(len(s.method) for f in files.file for s in f.service)} methods"
    )


if __name__ == "__main__":
    main()
