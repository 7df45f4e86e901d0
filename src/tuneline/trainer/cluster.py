"""Several hosts as one: they join, agree on when to stop, and one of them writes.

Vertex AI tells each host of a CustomJob its place in `CLUSTER_SPEC`: worker pool 0 has the one host that leads, pool 1
the others. Every host runs the same program over the same data, so all of them know everything that is to be written;
what the others write goes to a folder of their own, so that no line of the trainer has to ask which host it runs on.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tuneline import objects
from tuneline.errors import Problem, UsageError

VARIABLE = "CLUSTER_SPEC"
POOLS = ("workerpool0", "workerpool1")


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """This host's place among all."""

    hosts: tuple[str, ...] = ("localhost",)
    """`host:port` each; the first leads."""
    index: int = 0

    @property
    def leads(self) -> bool:
        """Whether this host writes the output."""
        return self.index == 0


def read_cluster(environment: Mapping[str, str]) -> Cluster:
    """The cluster that the environment describes; a single host where it describes none.

    Raises:
        UsageError: `CLUSTER_SPEC` cannot be read, or has pools that a training job of ours does not have.
    """
    text = environment.get(VARIABLE, "")
    if not text:
        return Cluster()
    try:
        spec = json.loads(text)
        cluster, task = dict(spec["cluster"]), dict(spec["task"])
        pools = {str(name): [str(host) for host in hosts] for name, hosts in cluster.items()}
        kind, number = str(task["type"]), int(task["index"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        fix = 'it reads {"cluster": {"workerpool0": ["host:port"], ...}, "task": {"type": "workerpool0", "index": 0}}'
        raise UsageError([Problem(where=VARIABLE, what=f"cannot be read: {error}", fix=fix)]) from error
    problems = [
        Problem(where=VARIABLE, what=f"{pool} takes no part in training", fix=f"use {' and '.join(POOLS)} alone")
        for pool in sorted(set(pools) - set(POOLS))
        if pools[pool]
    ]
    hosts = [host for pool in POOLS for host in pools.get(pool, [])]
    members = pools.get(kind, []) if kind in POOLS else []
    if not 0 <= number < len(members):
        what = f"task {kind} {number} is not one of the {len(hosts)} hosts"
        problems.append(Problem(where=VARIABLE, what=what, fix="start each host with its own place"))
    if problems:
        raise UsageError(problems, title="the cluster is refused")
    before = len(pools[POOLS[0]]) if kind == POOLS[1] else 0
    return Cluster(hosts=tuple(hosts), index=before + number)


def join(cluster: Cluster) -> None:
    """Meet the other hosts; before the first use of a device.

    Raises:
        UsageError: there are more hosts than devices.
    """
    if len(cluster.hosts) == 1:
        return
    import jax

    # jax would take SIGTERM for itself; `agreed` is how all hosts hear of it.
    jax.config.update("jax_enable_preemption_service", False)
    jax.distributed.initialize(
        coordinator_address=cluster.hosts[0], num_processes=len(cluster.hosts), process_id=cluster.index
    )
    refuse_idle_hosts(len(cluster.hosts), jax.device_count())


def refuse_idle_hosts(hosts: int, devices: int) -> None:
    """UsageError where some host has no device to compute on."""
    if devices < hosts:
        what = f"{hosts} hosts share {devices} devices: some would have none"
        fix = "ask for as many replicas as the slice has hosts, and for a machine type with accelerators"
        raise UsageError([Problem(where=VARIABLE, what=what, fix=fix)])


@contextlib.contextmanager
def own_output(cluster: Cluster, output: str) -> Iterator[str]:
    """Where this host writes: the output, or a copy of it as it stands before any host begins."""
    if cluster.leads:
        _meet(cluster, "output")
        yield output
        return
    with tempfile.TemporaryDirectory(prefix="tuneline-host-") as folder:
        prefix = output.rstrip("/") + "/"
        for info in objects.list(prefix):
            name = info.uri.removeprefix(prefix)
            # The merged model is the leader's alone, and as large as the base.
            if name != "lock" and not name.startswith("merged/"):
                objects.write_bytes(objects.join(folder, name), objects.read_bytes(info.uri))
        _meet(cluster, "output")
        yield folder


def agreed(cluster: Cluster, told: Callable[[], bool]) -> Callable[[], bool]:
    """Whether any host was told to stop, the same answer on all of them, as often as they ask together."""
    if len(cluster.hosts) == 1:
        return told

    def any_told() -> bool:
        import numpy as np
        from jax.experimental import multihost_utils

        return bool(np.any(multihost_utils.process_allgather(np.asarray(told()))))

    return any_told


def _meet(cluster: Cluster, name: str) -> None:
    if len(cluster.hosts) > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices(name)
