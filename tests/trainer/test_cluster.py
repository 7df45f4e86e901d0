"""Several devices and several hosts train as one: the same results, one output, one answer when told to stop."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.trainer.conftest import FAST_COMPILE, finish
from tuneline.errors import UsageError
from tuneline.trainer.cluster import Cluster, own_output, read_cluster, refuse_idle_hosts

Write = Callable[..., str]
TWO = {"workerpool0": ["a:2222"], "workerpool1": ["b:2222", "c:2222"]}


def trainer(config: str, output: Path, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tuneline.trainer", "--config", config, "--output", str(output)]
    return subprocess.Popen(command, env=dict(environment), stderr=subprocess.PIPE, text=True)


def with_devices(compiled: Mapping[str, str], count: int) -> dict[str, str]:
    flags = f"{FAST_COMPILE} --xla_force_host_platform_device_count={count}"
    return {**os.environ, "XDG_CACHE_HOME": compiled["XDG_CACHE_HOME"], "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}


def hosts(compiled: Mapping[str, str]) -> list[dict[str, str]]:
    """The environments of two hosts with two devices each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    cluster = {"workerpool0": [f"127.0.0.1:{port}"], "workerpool1": ["127.0.0.1:1"]}
    tasks = [{"type": pool, "index": 0} for pool in cluster]
    specs = [json.dumps({"cluster": cluster, "task": task, "environment": "cloud"}) for task in tasks]
    return [{**with_devices(compiled, 2), "CLUSTER_SPEC": spec} for spec in specs]


def last_adapter(output: Path) -> np.ndarray:
    file = sorted(output.glob("checkpoints/*/adapter_model.safetensors"))[-1]
    return np.concatenate([tensor.ravel() for _, tensor in sorted(load_file(file).items())])


@pytest.fixture
def alone(tmp_path: Path, write_config: Write, compiled: dict[str, str]) -> Path:
    """The run on one device that others are compared with."""
    finish(trainer(write_config(), tmp_path / "alone", compiled))
    return tmp_path / "alone"


def same(output: Path, reference: Path) -> None:
    """Adapters and curves agree up to rounding, and the files are the same ones."""
    np.testing.assert_allclose(last_adapter(output), last_adapter(reference), atol=2e-5)
    results = [json.loads((folder / "result.json").read_text()) for folder in (output, reference)]
    losses = [[c["evaluation"]["loss"] for c in result["checkpoints"]] for result in results]
    np.testing.assert_allclose(*losses, rtol=1e-4)
    names = [{str(path.relative_to(folder)) for path in folder.rglob("*.js*")} for folder in (output, reference)]
    assert names[0] == names[1]


@pytest.mark.slow
def test_four_devices_and_two_hosts(tmp_path: Path, write_config: Write, compiled: dict[str, str], alone: Path) -> None:
    """Four devices of one host, and two hosts of two, give what one device gives; the second host writes nothing."""
    config = write_config()
    finish(trainer(config, tmp_path / "four", with_devices(compiled, 4)))
    same(tmp_path / "four", alone)
    both = [trainer(config, tmp_path / "hosts", environment) for environment in hosts(compiled)]
    for process in both:
        finish(process)
    same(tmp_path / "hosts", alone)


@pytest.mark.slow
def test_two_hosts_stop_together_and_go_on(
    tmp_path: Path, write_config: Write, compiled: dict[str, str], alone: Path
) -> None:
    """SIGTERM to one of them stops both after the same step; started again, they end as if never stopped."""
    config, output = write_config(), tmp_path / "hosts"
    leader, other = (trainer(config, output, environment) for environment in hosts(compiled))
    assert other.stderr is not None
    for line in other.stderr:
        if line.startswith("step 4/"):
            other.send_signal(signal.SIGTERM)
            break
    said = [finish(process, 75) for process in (leader, other)]
    assert "told to stop after step" in said[0]
    assert not (output / "result.json").exists()
    for process in [trainer(config, output, environment) for environment in hosts(compiled)]:
        assert "resuming after step" in finish(process)
    same(output, alone)


def test_places_in_a_cluster() -> None:
    """Worker pool 0 leads; the hosts of pool 1 come behind it; without a description there is one host."""

    def read(kind: str, index: int) -> Cluster:
        return read_cluster({"CLUSTER_SPEC": json.dumps({"cluster": TWO, "task": {"type": kind, "index": index}})})

    assert read("workerpool0", 0) == Cluster(hosts=("a:2222", "b:2222", "c:2222"), index=0)
    assert read("workerpool1", 1).index == 2
    assert not read("workerpool1", 0).leads
    assert read_cluster({}).leads


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("{", "cannot be read"),
        ('{"cluster": {}}', "cannot be read"),
        (json.dumps({"cluster": TWO, "task": {"type": "workerpool1", "index": 2}}), "not one of the 3 hosts"),
        (
            json.dumps({"cluster": {**TWO, "workerpool2": ["d:2222"]}, "task": {"type": "workerpool0", "index": 0}}),
            "workerpool2 takes no part",
        ),
    ],
)
def test_descriptions_that_are_refused(spec: str, said: str) -> None:
    """What is no place in a cluster is refused by name."""
    with pytest.raises(UsageError, match=said):
        read_cluster({"CLUSTER_SPEC": spec})


def test_a_follower_begins_with_all_that_decides_what_it_does(tmp_path: Path) -> None:
    """It copies what is there, but the lock and the merged model, which are the leader's; then writes to the copy."""
    for name in ("run.json", "lock", "checkpoints/step-000004/checkpoint.json", "merged/model.safetensors"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    with own_output(Cluster(index=1), str(tmp_path)) as output:
        copied = {str(path.relative_to(output)) for path in Path(output).rglob("*") if path.is_file()}
        (Path(output) / "result.json").write_text("{}")
    assert copied == {"run.json", "checkpoints/step-000004/checkpoint.json"}
    assert not (tmp_path / "result.json").exists()
    assert not Path(output).exists()
    with own_output(Cluster(), str(tmp_path)) as output:
        assert output == str(tmp_path)


def test_more_hosts_than_devices() -> None:
    """Hosts without a device are refused, with the numbers."""
    with pytest.raises(UsageError, match="4 hosts share 2 devices"):
        refuse_idle_hosts(4, 2)
    refuse_idle_hosts(2, 2)
