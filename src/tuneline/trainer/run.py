"""One run from configuration to `result.json`: claim, prepare, train or resume, predict, sum up."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from tuneline import objects
from tuneline.errors import Problem, UsageError
from tuneline.trainer import checkpoints, claim, cluster, devices, selection
from tuneline.trainer.config import PREFERENCE, Config, PredictionConfig, read_config
from tuneline.trainer.metrics import Metrics, read_rows
from tuneline.trainer.output import begin, locked, say


def run(
    config_uri: str, output: str, *, environment: Mapping[str, str], told_to_stop: Callable[[], bool]
) -> dict[str, Any] | None:
    """Carry out, or go on with, the run of a configuration: its `result.json`, or None where another job has the claim.

    Raises:
        UsageError, DatasetError: the configuration, the base or the data; nothing has been written then.
        Stopped: told to stop; resume by running the same again.
    """
    started = time.monotonic()
    config = read_config(objects.read_json(config_uri), where=config_uri)
    place = cluster.read_cluster(environment)
    mine, why = claim.holds_claim(environment)
    if not mine:
        say(why)
        return None
    devices.prepare(environment)
    cluster.join(place)
    told_to_stop = cluster.agreed(place, told_to_stop)
    with cluster.own_output(place, output) as output, locked(output):
        # Both import jax, which is configured by now.
        if isinstance(config, PredictionConfig):
            from tuneline.trainer.prediction_run import predict

            return predict(config, output, environment, told_to_stop, started)
        return _train(config, output, environment, told_to_stop, started)


def _train(
    config: Config, output: str, environment: Mapping[str, str], told_to_stop: Callable[[], bool], started: float
) -> dict[str, Any]:
    from tuneline.trainer import preference, recompute
    from tuneline.trainer.lora import ALPHA
    from tuneline.trainer.optimizer import from_arrays, optimizer
    from tuneline.trainer.preparation import evaluation_shape, prepare
    from tuneline.trainer.program import build
    from tuneline.trainer.training import Loop, Progress

    run = prepare(config, stand_in=environment.get("TUNELINE_STAND_IN", ""))
    first = _first_adapter(run)
    complete = begin(output, run.to_dict())
    if complete is not None:
        return complete
    _announce(run)

    rate = run.config.learning_rate * run.config.learning_rate_multiplier
    rule = optimizer(learning_rate=rate, steps=run.config.train_steps)
    base, placement = run.base, run.base.placement
    make = partial(
        build,
        base.architecture,
        base.weights,
        scale=float(ALPHA),
        rule=rule,
        remat=recompute.choose(base.architecture, run.train_shape, placement),
        placement=placement,
    )
    program = make()
    adapter = placement.whole(first)
    progress = Progress(step=0, adapter=adapter, state=placement.whole(rule.init(adapter)), evaluations=())
    # What an attempt that died was about to delete goes first: the same checkpoints are left as without its death.
    checkpoints.sweep(output)
    selection.prune(output, run.config)
    newest = checkpoints.newest_with_state(output)
    if newest is not None:
        from safetensors.numpy import load

        stored = load(objects.read_bytes(objects.join(newest.uri, checkpoints.STATE)))
        trees = from_arrays(stored, {"adapter": adapter, "state": progress.state})
        progress = Progress(
            step=newest.step,
            adapter=placement.whole(trees["adapter"]),
            state=placement.whole(trees["state"]),
            evaluations=tuple(newest.record["evaluations"]),
        )
        say(f"resuming after step {newest.step}")
    shape = evaluation_shape(base, [run.evaluation.examples]) if run.evaluation else None
    metrics = Metrics(output, kept=read_rows(output, until=newest.step) if newest else [])
    if newest is not None and _ended_before(newest, run.config):
        steps, reason, speed = newest.step, _reason(newest, run.config), 0.0
    else:
        kind, learned, learner = Loop, run, program
        if run.config.method == PREFERENCE:
            kind, learner = preference.PreferenceLoop, make(**preference.objective(run, scale=float(ALPHA)))
            learned = preference.with_references(run, adapter, shape, scale=float(ALPHA))
        loop = kind(learned, learner, metrics, output, evaluation_shape=shape, told_to_stop=told_to_stop)
        trained = loop.train(progress)
        steps, reason, speed = trained.steps, trained.stop_reason, trained.tokens_per_second
        share = devices.utilisation(speed, base.architecture.parameters)
        if share is not None:
            say(f"{speed:.0f} tokens/s, MFU {share:.1%} (tokens/s × 4 × parameters ÷ peak bf16 FLOP/s of all devices)")
    predictions = _predict(run, program, output, told_to_stop)
    merged = _export_merged(run, output, told_to_stop)
    made = selection.made(output)
    base_evaluation = next((e for e in made[-1].record["evaluations"] if e["step"] == 0), None)
    result = {
        "state": "succeeded",
        "steps": steps,
        "stop_reason": reason,
        "checkpoints": [
            {
                "step": checkpoint.step,
                "epoch": checkpoint.record["epoch"],
                "uri": checkpoint.uri,
                "evaluation": checkpoint.record["evaluation"],
                "predictions": predictions.get(checkpoint.step, ""),
            }
            for checkpoint in made
        ],
        "base": {
            "evaluation": {k: v for k, v in base_evaluation.items() if k != "step"} if base_evaluation else None,
            "predictions": predictions.get(0, ""),
        },
        "merged": merged,
        "base_model": base.to_dict(),
        "dataset": {
            "examples": len(run.train.examples),
            "tokens": run.train.tokens,
            "truncated": run.train.truncated,
            "skipped": run.train.skipped,
            "cut": run.train.cut,
        },
        "tokens_per_second": round(speed, 1),
        "mfu": devices.utilisation(speed, base.architecture.parameters),
        "seconds": round(time.monotonic() - started, 2),
        "seed": run.config.seed,
    }
    objects.write_json(objects.join(output, "result.json"), result)
    say(f"done after {steps} steps ({reason}), {result['seconds']} s")
    return result


def _first_adapter(run: Any) -> Any:
    """What training begins with: an adapter that changes nothing yet, or the one that the configuration names.

    Raises:
        UsageError: the named adapter does not fit the base or is of another rank.
    """
    from tuneline.trainer.lora import initial_adapter, read_scaled_adapter

    config, architecture, uri = run.config, run.base.architecture, run.config.initial_adapter
    if not uri:
        return initial_adapter(architecture, config.adapter_size, config.seed)
    adapter = read_scaled_adapter(checkpoints.read_adapter_files(uri), architecture, where=uri)
    rank = next(iter(adapter.values()))["a"].shape[2]
    if rank != config.adapter_size:
        what = f"is {config.adapter_size}, and the initial adapter's is {rank}"
        raise UsageError([Problem(where="adapter_size", what=what, fix=f'write "adapter_size": {rank}')])
    return adapter


def _predict(run: Any, program: Any, output: str, told_to_stop: Callable[[], bool]) -> dict[int, str]:
    """The predictions of the base (as step 0) and of the candidate checkpoints; those already there are kept."""
    if run.prediction is None:
        return {}
    from tuneline.trainer.generation import build_generator
    from tuneline.trainer.lora import ALPHA, initial_adapter, read_adapter
    from tuneline.trainer.predictions import Predictor, parts, write_predictions
    from tuneline.trainer.preparation import evaluation_shape

    base, examples = run.base, run.prediction.examples
    tokenizer, architecture = base.tokenizer, base.architecture
    predictor = Predictor(
        generator=build_generator(
            architecture,
            base.weights,
            scale=float(ALPHA),
            ends=sorted(tokenizer.ends),
            pad=tokenizer.pad,
            placement=base.placement,
        ),
        program=program,
        tokenizer=tokenizer,
        shape=evaluation_shape(base, parts(examples)),
        max_new_tokens=run.config.max_new_tokens,
    )

    def untrained() -> Any:
        return base.placement.whole(initial_adapter(architecture, run.config.adapter_size, run.config.seed))

    def trained(uri: str) -> Any:
        return base.placement.whole(read_adapter(checkpoints.read_adapter_files(uri), architecture, where=uri)[0])

    def write(name: str, adapter: Callable[[], Any]) -> str:
        return write_predictions(predictor, adapter, examples, output=output, name=name, told_to_stop=told_to_stop)

    out = {0: write("base", untrained)}
    for each in selection.candidates(output, selection.made(output), run.config):
        out[each.step] = write(f"step-{each.step:06d}", partial(trained, each.uri))
    return out


def _export_merged(run: Any, output: str, told_to_stop: Callable[[], bool]) -> dict[str, Any] | None:
    """The selected checkpoint as a whole model, where that is asked for: its step and the folder's URI."""
    if not run.config.export_merged:
        return None
    import jax

    from tuneline.trainer.lora import read_adapter
    from tuneline.trainer.merging import write_merged

    chosen = selection.selected(output, selection.made(output), run.config)
    files = checkpoints.read_adapter_files(chosen.uri)
    adapter, scale = read_adapter(files, run.base.architecture, where=chosen.uri)
    uri = objects.join(output, "merged")
    if jax.process_index() == 0:
        # The others' output does not count. One host alone cannot ask all whether they were told to stop.
        asked = told_to_stop if jax.process_count() == 1 else (lambda: False)
        write_merged(run.base, adapter, scale, uri=uri, told_to_stop=asked)
    say(f"{uri} is the model of step {chosen.step}, merged")
    return {"step": chosen.step, "uri": uri}


def _ended_before(newest: checkpoints.Checkpoint, config: Config) -> bool:
    return not newest.record["stopped"] and (
        newest.step >= config.train_steps or _reason(newest, config) != "train_steps"
    )


def _reason(newest: checkpoints.Checkpoint, config: Config) -> str:
    from tuneline.trainer import stopping

    early = config.early_stopping and newest.step < config.train_steps
    accuracies = [entry["accuracy"] for entry in newest.record["evaluations"]]
    return "early_stopping" if early and stopping.should_stop(accuracies) else "train_steps"


def _announce(run: Any) -> None:
    base, train = run.base, run.train
    say(
        f"{base.name} ({base.architecture.parameters / 1e6:.1f}M parameters, {base.architecture.family})"
        + (f", standing in for {base.reference.requested}" if base.reference.stand_in else "")
        + f"; {len(train.examples)} examples, {train.tokens} tokens"
    )
    say(f"on {devices.describe()}, attention: {base.placement.kernel or 'plain'}")
    for name, part in (("training", run.train), ("evaluation", run.evaluation), ("prediction", run.prediction)):
        if part is not None and (part.truncated or part.skipped or part.cut):
            say(
                f"{name} data: {part.truncated} responses cut at {run.config.max_length} tokens, "
                f"{part.cut} prompts without their beginning, {part.skipped} examples skipped for want of room"
            )
