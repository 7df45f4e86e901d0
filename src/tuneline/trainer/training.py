"""The loop: steps, evaluations, checkpoints; stops by itself, when told to, or when the loss is no number any more."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tuneline import objects
from tuneline.errors import TunelineError
from tuneline.trainer import checkpoints, selection, stopping
from tuneline.trainer.checkpoints import Checkpoint
from tuneline.trainer.evaluation import Evaluation, ExampleScore, score, summarise, to_lines
from tuneline.trainer.lora import adapter_files
from tuneline.trainer.metrics import Metrics
from tuneline.trainer.optimizer import to_arrays
from tuneline.trainer.order import epoch_of_step
from tuneline.trainer.packing import Batch, RowShape, pack
from tuneline.trainer.preparation import Run
from tuneline.trainer.program import Program, StepResult
from tuneline.trainer.stop import Stopped


class Diverged(TunelineError):
    """The loss is no longer a number."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a run stands: what training goes on from."""

    step: int
    adapter: Any
    state: Any
    evaluations: tuple[dict[str, Any], ...]
    """Each evaluation so far, `{"step", "loss", "accuracy", "tokens", "examples"}`; the base's is the first."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """How training ended."""

    steps: int
    stop_reason: str
    """`train_steps` or `early_stopping`."""
    tokens_per_second: float


class Loop:
    """One attempt at a run's training, from `progress` to its end."""

    counted = "token"
    """What is predicted right or not, for the log."""

    def __init__(
        self,
        run: Run,
        program: Program,
        metrics: Metrics,
        output: str,
        *,
        evaluation_shape: RowShape | None,
        told_to_stop: Callable[[], bool],
    ) -> None:
        self.run, self.program, self.metrics, self.output = run, program, metrics, output
        self._evaluation_shape = evaluation_shape
        self._told_to_stop = told_to_stop
        self._pending: list[tuple[int, StepResult, int]] = []
        self._settled: list[tuple[int, float]] = []
        self._since = time.monotonic()
        self._saved = 0
        """The step of the newest checkpoint of this attempt."""

    def batches(self, examples: Sequence[Any]) -> list[Batch]:
        """The examples of a step, packed."""
        return [packed.batch for packed, _ in pack(examples, self.run.train_shape)]

    def scores(self, adapter: Any, examples: Sequence[Any], shape: RowShape) -> list[ExampleScore]:
        """The score of each example of the evaluation set."""
        return score(self.program, adapter, examples, shape)

    def train(self, progress: Progress) -> Trained:
        """Train to the end.

        Raises:
            Stopped: told to stop; a checkpoint of the last whole step is complete.
            Diverged: the loss is not finite; names step and examples. Checkpoints so far stay.
        """
        config = self.run.config
        adapter, state = progress.adapter, progress.state
        evaluations = list(progress.evaluations)
        if not evaluations and self._evaluation_shape is not None:
            row, evaluation = self._evaluate(adapter, 0)
            evaluations.append({"step": 0, **evaluation.to_dict()})
            self.metrics.add({"step": 0, **row})
            self.metrics.flush()
            self._say(0, row)
        self._since = time.monotonic()
        for done in range(progress.step + 1, config.train_steps + 1):
            examples = self.run.examples(done - 1)
            adapter, state, result = self.program.step(adapter, state, self.batches(examples))
            self._pending.append((done, result, sum(len(example.tokens) for example in examples)))
            if done % config.evaluation_interval == 0 or done == config.train_steps:
                last = self._settle(hold_last=True)
                self._refuse_infinite(adapter, done)
                evaluation_row: dict[str, Any] = {}
                if self._evaluation_shape is not None:
                    evaluation_row, evaluation = self._evaluate(adapter, done)
                    evaluations.append({"step": done, **evaluation.to_dict()})
                self.metrics.add({**last, **evaluation_row})
                self.metrics.flush()
                self._save(done, adapter, state, evaluations, stopped=False)
                selection.prune(self.output, config)
                self._say(done, {**last, **evaluation_row})
                accuracies = [entry["accuracy"] for entry in evaluations]
                if config.early_stopping and done < config.train_steps and stopping.should_stop(accuracies):
                    return self._ended(done, "early_stopping")
                self._since = time.monotonic()
            elif self.metrics.due():
                self._settle()
                self.metrics.flush()
            if self._told_to_stop():
                self._stop(done, adapter, state, evaluations)
        return self._ended(max(config.train_steps, progress.step), "train_steps")

    def _ended(self, steps: int, reason: str) -> Trained:
        # The first steps waited for their program to be compiled.
        steady = self._settled[1:] or self._settled
        speed = sum(tokens for tokens, _ in steady) / max(sum(seconds for _, seconds in steady), 1e-9)
        return Trained(steps=steps, stop_reason=reason, tokens_per_second=speed)

    def _stop(self, done: int, adapter: Any, state: Any, evaluations: Sequence[dict[str, Any]]) -> None:
        if done != self._saved:
            if self._pending:
                self._settle()
                self.metrics.flush()
            self._refuse_infinite(adapter, done)
            self._save(done, adapter, state, evaluations, stopped=True)
        raise Stopped(
            f"told to stop after step {done}: its checkpoint is complete, run the same command again to go on"
        )

    def _settle(self, *, hold_last: bool = False) -> dict[str, Any]:
        """Read what the pending steps did, and add their rows; with `hold_last`, the last row is returned instead."""
        rows: list[dict[str, Any]] = []
        for step, result, _ in self._pending:
            loss = float(result.loss)
            if not math.isfinite(loss):
                self.metrics.flush()
                raise Diverged(self._divergence(f"the loss became {loss}", step))
            rows.append(
                {
                    "step": step,
                    "/train_total_loss": loss,
                    "/train_fraction_of_correct_next_step_preds": float(result.correct) / max(result.counted, 1),
                    "/train_num_predictions": result.counted,
                }
            )
        now = time.monotonic()
        tokens, seconds = sum(count for _, _, count in self._pending), now - self._since
        self._settled.append((tokens, seconds))
        self._since = now
        self._pending.clear()
        for row in rows:
            row["tokens_per_second"] = round(tokens / max(seconds, 1e-9), 1)
        for row in rows[:-1] if hold_last else rows:
            self.metrics.add(row)
        return rows[-1]

    def _refuse_infinite(self, adapter: Any, step: int) -> None:
        """A step whose loss is sound may still leave numbers that are none: the next loss would tell, too late."""
        if not all(np.isfinite(np.asarray(leaf)).all() for pair in adapter.values() for leaf in pair.values()):
            self.metrics.flush()
            raise Diverged(self._divergence("the adapter is no longer finite", step))

    def _divergence(self, what: str, step: int) -> str:
        lines = ", ".join(str(example.line) for example in self.run.examples(step - 1))
        found = checkpoints.complete(self.output)
        kept = f"the last good checkpoint is that of step {found[-1].step}" if found else "no checkpoint was made yet"
        return (
            f"{what} at step {step} (lines {lines} of {self.run.config.train_data}); {kept}; "
            "lower learning_rate_multiplier and start again in another output"
        )

    def _evaluate(self, adapter: Any, step: int) -> tuple[dict[str, Any], Evaluation]:
        dataset, shape = self.run.evaluation, self._evaluation_shape
        if dataset is None or shape is None:
            raise ValueError("evaluation without a set")
        scores = self.scores(adapter, dataset.examples, shape)
        evaluation = summarise(scores)
        if not math.isfinite(evaluation.loss):
            if step == 0:
                raise Diverged(f"the evaluation loss of the untuned base is {evaluation.loss}: its weights are broken")
            raise Diverged(self._divergence(f"the evaluation loss became {evaluation.loss}", step))
        uri = objects.join(self.output, "evaluations", f"step-{step:06d}.jsonl")
        objects.write_bytes(uri, to_lines(entry.to_dict() for entry in scores))
        row = {
            "/eval_total_loss": evaluation.loss,
            "/eval_fraction_of_correct_next_step_preds": evaluation.accuracy,
            "/eval_num_predictions": evaluation.tokens,
        }
        return row, evaluation

    def _save(
        self, step: int, adapter: Any, state: Any, evaluations: Sequence[dict[str, Any]], *, stopped: bool
    ) -> Checkpoint:
        from safetensors.numpy import save

        base, config = self.run.base, self.run.config
        current = evaluations[-1] if evaluations and evaluations[-1]["step"] == step else None
        record = {
            "step": step,
            "epoch": epoch_of_step(step=step, batch_size=config.batch_size, count=len(self.run.train.examples)),
            "evaluation": {k: v for k, v in current.items() if k != "step"} if current else None,
            "stopped": stopped,
            "evaluations": list(evaluations),
        }
        files = adapter_files(adapter, base=base.reference.requested, family=base.architecture.family)
        state_bytes = save(to_arrays({"adapter": adapter, "state": state}))
        written = checkpoints.write(self.output, step=step, files=files, state=state_bytes, record=record)
        self._saved = step
        return written

    def _say(self, step: int, row: dict[str, Any]) -> None:
        parts = [f"step {step}/{self.run.config.train_steps}"]
        if "/train_total_loss" in row:
            parts.append(f"loss {row['/train_total_loss']:.4f}")
        if "/eval_total_loss" in row:
            accuracy = row["/eval_fraction_of_correct_next_step_preds"]
            parts.append(f"evaluation loss {row['/eval_total_loss']:.4f}, {self.counted} accuracy {accuracy:.4f}")
        if "tokens_per_second" in row:
            parts.append(f"{row['tokens_per_second']:.0f} tokens/s")
        print(", ".join(parts), file=sys.stderr, flush=True)
