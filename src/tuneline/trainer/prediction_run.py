"""One prediction run from configuration to `result.json`: a base, some adapters over it, and a set."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import optax

from tuneline import errors, objects
from tuneline.errors import Problem, UsageError
from tuneline.trainer import base_model, checkpoints
from tuneline.trainer.architecture import Architecture
from tuneline.trainer.config import PredictionConfig
from tuneline.trainer.devices import compute_type
from tuneline.trainer.generation import Sampling, build_generator
from tuneline.trainer.lora import ALPHA, initial_adapter, read_adapter, read_scaled_adapter
from tuneline.trainer.output import begin, say
from tuneline.trainer.predictions import Predictor, default_length, parts, write_predictions
from tuneline.trainer.preparation import evaluation_shape, read_set
from tuneline.trainer.program import build

SMALLEST_RANK = 1


def predict(
    config: PredictionConfig,
    output: str,
    environment: Mapping[str, str],
    told_to_stop: Callable[[], bool],
    started: float,
) -> dict[str, Any]:
    """Carry out, or go on with, a prediction run: its `result.json`.

    Raises:
        UsageError, DatasetError: configuration, base, adapters or data; nothing has been written then.
        Stopped: told to stop; resume by running the same again.
    """
    reference = base_model.resolve(config.base_model, stand_in=environment.get("TUNELINE_STAND_IN", ""))
    base = base_model.load(reference, dtype=compute_type())
    architecture, tokenizer = base.architecture, base.tokenizer
    dataset = read_set(config, base, config.data)
    digests = _digests(config, architecture)
    now = {**config.to_dict(), "base_digest": base.digest, "data_digest": dataset.digest, "adapter_digests": digests}
    # As JSON has it, which is what an earlier attempt left.
    complete = begin(output, json.loads(json.dumps(now)))
    if complete is not None:
        return complete
    say(
        f"{base.name} ({architecture.parameters / 1e6:.1f}M parameters, {architecture.family})"
        + (f", standing in for {reference.requested}" if reference.stand_in else "")
        + f"; {len(config.models)} models, {len(dataset.examples)} examples, {dataset.skipped} skipped for want of room"
    )
    sampling = Sampling(temperature=config.temperature, top_p=config.top_p, top_k=config.top_k, seed=config.seed)
    ends = sorted(tokenizer.ends)
    predictor = Predictor(
        generator=build_generator(
            architecture, base.weights, scale=float(ALPHA), ends=ends, pad=tokenizer.pad, placement=base.placement
        ),
        program=build(architecture, base.weights, scale=float(ALPHA), rule=optax.identity(), placement=base.placement),
        tokenizer=tokenizer,
        shape=evaluation_shape(base, parts(dataset.examples, config.batch_size)),
        max_new_tokens=config.max_new_tokens or default_length(dataset.examples, most=base.longest_prediction),
        sampling=sampling,
        batch_size=config.batch_size,
    )
    models = []
    for model in config.models:

        def adapter(uri: str = model.adapter) -> Any:
            if not uri:
                # The base goes under an adapter that changes nothing, so that no program of its own is compiled.
                return base.placement.whole(initial_adapter(architecture, SMALLEST_RANK, 0))
            files = checkpoints.read_adapter_files(uri)
            return base.placement.whole(read_scaled_adapter(files, architecture, where=uri))

        uri = write_predictions(
            predictor, adapter, dataset.examples, output=output, name=model.name, told_to_stop=told_to_stop
        )
        models.append({"name": model.name, "adapter": model.adapter, "predictions": uri, **_sums(uri)})
        say(f"predictions of {model.name}: {models[-1]['exact']} of {len(dataset.examples)} exactly as expected")
    result = {
        "state": "succeeded",
        "mode": "predict",
        "models": models,
        "base_model": base.to_dict(),
        "dataset": {
            "examples": len(dataset.examples),
            "tokens": dataset.tokens,
            "truncated": dataset.truncated,
            "skipped": dataset.skipped,
        },
        "seconds": round(time.monotonic() - started, 2),
        "seed": config.seed,
    }
    objects.write_json(objects.join(output, "result.json"), result)
    say(f"done, {result['seconds']} s")
    return result


def _digests(config: PredictionConfig, architecture: Architecture) -> dict[str, str]:
    """SHA-256 of each model's adapter; UsageError with every one that cannot be used on this base."""
    problems: list[Problem] = []
    digests: dict[str, str] = {}
    for model in config.models:
        total = hashlib.sha256()
        if model.adapter:
            try:
                files = checkpoints.read_adapter_files(model.adapter)
                read_adapter(files, architecture, where=model.adapter)
            except errors.NotFound as error:
                fix = f"name a folder with {' and '.join(checkpoints.ADAPTER)}"
                problems.append(Problem(where=f"models: {model.name}", what=str(error), fix=fix))
                continue
            except UsageError as error:
                problems += error.problems
                continue
            for part in checkpoints.ADAPTER:
                total.update(files[part])
        digests[model.name] = total.hexdigest() if model.adapter else ""
    if problems:
        raise UsageError(problems, title="these models cannot be predicted with")
    return digests


def _sums(uri: str) -> dict[str, Any]:
    """What the rows of a predictions file come to."""
    rows = [json.loads(line) for line in objects.read_bytes(uri).splitlines()]
    tokens = sum(row["tokens"] for row in rows)
    return {
        "exact": sum(row["prediction"] == row["expected"] for row in rows),
        "evaluation": {
            "loss": sum(row["loss"] for row in rows) / max(tokens, 1),
            "accuracy": sum(row["correct"] for row in rows) / max(tokens, 1),
            "tokens": tokens,
            "examples": len(rows),
        },
    }
