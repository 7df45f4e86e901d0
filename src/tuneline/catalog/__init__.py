"""What can be tuned, where, on which machines, within which limits, at which price, until when.

Data in TOML (`data/`), each figure with its source and the day it was read; the user's own file goes over it
(`docs/catalog.md`). What is not known is None, and said to be unknown.
"""

from tuneline.catalog.load import current, overlay_path
from tuneline.catalog.lookups import (
    batch_size,
    closest,
    cmek,
    default_slice,
    find_model,
    image,
    model,
    models,
    provisioning,
    regions,
    slice,
    slices,
)
from tuneline.catalog.model import Catalog, Model, Slice, Source

__all__ = [
    "Catalog",
    "Model",
    "Slice",
    "Source",
    "batch_size",
    "closest",
    "cmek",
    "current",
    "default_slice",
    "find_model",
    "image",
    "model",
    "models",
    "overlay_path",
    "provisioning",
    "regions",
    "slice",
    "slices",
]
