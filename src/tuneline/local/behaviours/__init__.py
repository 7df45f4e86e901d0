"""What each kind of resource does here: one file a kind, registered where it is defined."""

from __future__ import annotations

import importlib
import pkgutil


def register_all() -> None:
    """Import every module of this package, which registers its behaviours and methods."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
