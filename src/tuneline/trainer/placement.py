"""Where weights and rows live: on one device, or sharded over all of a slice (FSDP).

Each device holds a part of every weight and computes its own rows; a layer's weights are gathered when the layer is
reached and dropped behind it. Adapters and the optimizer's state are small and held whole by every device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from tuneline.trainer import flash
from tuneline.trainer.architecture import Architecture
from tuneline.trainer.packing import MOST_SEGMENTS

AXIS = "devices"


@dataclass(frozen=True, kw_only=True)
class Placement:
    """How a run is laid out over its devices."""

    mesh: Mesh | None = None
    """None: everything on one device."""
    kernel: str = flash.NONE
    """The attention kernel (`flash`)."""
    segments: int = 0
    """Examples in a row at most, padding included; what the kernel is compiled for."""

    @property
    def devices(self) -> int:
        """Devices that share the work."""
        return 1 if self.mesh is None else self.mesh.size

    def weight(self, name: str, array: np.ndarray) -> jax.Array:
        """A weight on its devices, cut along the longest axis that all can share evenly; a layer's first axis is the
        layer and stays whole."""
        if self.mesh is None:
            return jax.device_put(array, may_alias=True)  # never written to afterwards: a CPU need not copy it
        free = range(1 if name not in ("embed", "norm", "head") else 0, array.ndim)
        axes = [axis for axis in free if array.shape[axis] % self.devices == 0]
        cut = max(axes, key=lambda axis: array.shape[axis], default=None)
        spec = [AXIS if axis == cut else None for axis in range(array.ndim)]
        return self._put(array, PartitionSpec(*spec))

    def whole(self, tree: Any) -> Any:
        """A tree of which every device holds all."""
        if self.mesh is None:
            return tree
        return jax.tree.map(lambda leaf: self._put(np.asarray(leaf), PartitionSpec()), tree)

    def rows(self, batch: Mapping[str, np.ndarray]) -> Mapping[str, Any]:
        """A batch, each device with its share of the rows."""
        if self.mesh is None:
            return batch
        return {name: self._put(array, PartitionSpec(AXIS)) for name, array in batch.items()}

    def gathered(self, tree: Any) -> Any:
        """Inside a program: the whole of what is cut, on every device."""
        return self._constrained(tree, PartitionSpec())

    def by_row(self, x: Any) -> Any:
        """Inside a program: each device with its own rows."""
        return self._constrained(x, PartitionSpec(AXIS))

    def attend(self, architecture: Any, batch: flash.Rows, q: jax.Array, k: jax.Array, v: jax.Array) -> jax.Array:
        """`flash.attend`, each device over its own rows."""
        if self.mesh is None:
            return flash.attend(architecture, batch, q, k, v)

        def local(parts: Any, q: jax.Array, k: jax.Array, v: jax.Array) -> jax.Array:
            segments, lengths, offsets = parts
            here = flash.Rows(kernel=batch.kernel, segments=segments, lengths=lengths, offsets=offsets)
            return flash.attend(architecture, here, q, k, v)

        spec = PartitionSpec(AXIS)
        parts = (batch.segments, batch.lengths, batch.offsets)
        # A kernel is nothing that the compiler could cut: it is called on each device's rows.
        mapped = jax.shard_map(local, mesh=self.mesh, in_specs=spec, out_specs=spec, check_vma=False)
        return mapped(parts, q, k, v)

    def _put(self, array: np.ndarray, spec: PartitionSpec) -> jax.Array:
        assert self.mesh is not None
        # By callback, since each host of a slice can fill its own devices only.
        sharding = NamedSharding(self.mesh, spec)
        return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])

    def _constrained(self, tree: Any, spec: PartitionSpec) -> Any:
        if self.mesh is None:
            return tree
        sharding = NamedSharding(self.mesh, spec)
        return jax.tree.map(lambda leaf: jax.lax.with_sharding_constraint(leaf, sharding), tree)


ONE = Placement()


def over_all_devices(architecture: Architecture, dtype: Any) -> Placement:
    """All devices of the slice in one row, with the attention kernel they have for a model; one needs no mesh."""
    devices = jax.devices()
    return Placement(
        mesh=None if len(devices) == 1 else Mesh(np.asarray(devices), (AXIS,)),
        kernel=flash.kernel_for(architecture, dtype),
        segments=MOST_SEGMENTS + 1,
    )
