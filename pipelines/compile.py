"""Writes `compiled/` from `components/` and `pipelines/`: `python -m pipelines.compile [FOLDER]`.

The same sources give the same bytes, whatever the folder and the time. `TUNELINE_IMAGE` is the image that is written
into every step (`components/image.py`).
"""

import importlib
import os
import sys
import tempfile
from pathlib import Path

from kfp import compiler

from pipelines import stubs

COMPONENTS = (
    "validate_dataset",
    "plan_tuning",
    "plan_gemini_tuning",
    "plan_gemini_api_tuning",
    "upload_dataset",
    "submit_tuning_job",
    "wait_for_tuning_job",
    "select_checkpoint",
    "upload_model",
    "evaluate_model",
    "deploy_model",
    "report_run",
)
"""Each is the function of its name in the module `components.<name>`."""

PIPELINES = {
    "tune_large_model": "tune_large_model",
    "tune_large_model_core": "tune_large_model",
    "tune_large_chat_model": "tune_large_chat_model",
    "tune_large_chat_model_core": "tune_large_chat_model",
    "tune_gemini": "tune_gemini",
    "tune_gemini_core": "tune_gemini",
    "tune_gemini_api": "tune_gemini_api",
    "tune_gemini_api_core": "tune_gemini_api",
}
"""Pipeline → module of `pipelines/` in which it stands."""


def write(folder: Path) -> list[Path]:
    """Compiles everything into `folder`, and returns what was written; files of sources that are gone are removed."""
    wanted = {
        **{folder / "components" / f"{name}.yaml": (f"components.{name}", name) for name in COMPONENTS},
        **{folder / "pipelines" / f"{name}.yaml": (f"pipelines.{module}", name) for name, module in PIPELINES.items()},
    }
    for path, (module, name) in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        # Compiled beside its place and then renamed, so that no reader ever sees half a template.
        with tempfile.TemporaryDirectory(dir=folder, prefix=".writing-") as scratch:
            fresh = Path(scratch) / path.name
            compiler.Compiler().compile(getattr(importlib.import_module(module), name), str(fresh))
            os.replace(fresh, path)
    for kind in ("components", "pipelines"):
        for stale in set((folder / kind).glob("*.yaml")) - set(wanted):
            stale.unlink()
    return list(wanted)


def main(arguments: list[str]) -> None:
    """Writes `compiled/` and its type stubs; with a folder named, compiles into that one alone."""
    if arguments:
        written = write(Path(arguments[0]))
    else:
        compiled = Path(__file__).resolve().parent.parent / "compiled"
        written = write(compiled) + stubs.write(compiled)
    print("\n".join(map(str, written)))


if __name__ == "__main__":
    main(sys.argv[1:])
