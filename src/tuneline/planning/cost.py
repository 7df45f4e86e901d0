"""How long the job runs and what it costs: a range, or the reason why nobody can say. No figure is invented."""

from __future__ import annotations

from tuneline import catalog
from tuneline.errors import OverCostLimit
from tuneline.planning import arithmetic
from tuneline.planning.model import Data, Range, Training

_LOCAL = "on the local service"
# With early stopping a job may end after the second evaluation that brings nothing.
_FEWEST_EVALUATIONS = 2


def duration(
    model: str, machines: catalog.Slice, training: Training, train: Data, evaluation: Data | None, *, local: bool
) -> Range:
    """Seconds that the machines are held, from the catalogue's speed of this model on this slice."""
    if local:
        return Range(unknown=f"{_LOCAL}, by this machine's speed")
    speed = machines.speeds.get(model)
    if speed is None:
        return Range(unknown=unmeasured(model, machines))
    if not train.tokens:
        return Range(unknown="the tokens of the training set are not known")

    def seconds(steps: int, tokens_a_second: float, error: float) -> float:
        seen = train.tokens / train.examples * arithmetic.examples_seen(steps, training.batch_size)
        read = (evaluation.tokens if evaluation else 0) * arithmetic.evaluations(steps, training.evaluation_interval)
        return speed.startup_s + (seen + read) * (1 + error) / tokens_a_second

    fewest = training.train_steps
    if training.early_stopping:
        fewest = min(fewest, _FEWEST_EVALUATIONS * training.evaluation_interval)
    return Range(
        low=seconds(fewest, speed.high, -train.tokens_error),
        high=seconds(training.train_steps, speed.low, train.tokens_error),
    )


def unmeasured(model: str, machines: catalog.Slice) -> str:
    """Why there is no speed of the model on the slice; `''` where there is one."""
    return "" if model in machines.speeds else f"the speed of {model} on {machines.name} was never measured"


def cost(machines: catalog.Slice, held_s: Range, *, provisioning: str, local: bool) -> Range:
    """USD for the tuning job's machines; the pipeline's own steps, storage and egress are not in it."""
    if local:
        return Range(low=0.0, high=0.0)
    if machines.price is None:
        return Range(unknown=f"no price of {machines.name} is known; your own catalogue can give one (docs/catalog.md)")
    if provisioning != "standard":
        return Range(unknown=f"no price of {machines.name} by {provisioning} is known")
    if held_s.low is None or held_s.high is None:
        return Range(unknown=held_s.unknown)
    hourly = machines.price.usd_per_hour
    return Range(low=held_s.low / 3600 * hourly, high=held_s.high / 3600 * hourly)


def of_tokens(model: catalog.Model | None, train: Data | None, epochs: int, *, local: bool) -> Range:
    """USD for a managed tuning: training tokens of all epochs by the catalogue's price; inference is not in it."""
    if local:
        return Range(low=0.0, high=0.0)
    if model is None:
        return Range(unknown="tuning a tuned model further has its base's price, and the base is not known here")
    if model.price is None:
        return Range(unknown=f"no price of tuning {model.name} is known; your own catalogue can give one")
    if not epochs:
        return Range(unknown="epoch_count is not given, and the service chooses it")
    if train is None or not train.tokens:
        return Range(unknown="the tokens of the training set are not known")
    usd = train.tokens * epochs / 1e6 * model.price.usd_per_million_training_tokens
    return Range(low=usd * (1 - train.tokens_error), high=usd * (1 + train.tokens_error))


def refuse_above(limit_usd: float, expected: Range, *, endpoint: bool, local: bool) -> None:
    """Hold the plan to its limit; 0 is none.

    Raises:
        OverCostLimit: the upper bound is over it, or there is none: an unknown price or duration, or an endpoint.
    """
    if limit_usd <= 0 or local:
        return
    if expected.high is None:
        raise OverCostLimit(
            f"max_cost_usd is {limit_usd:g}, and what the run costs is not known: {expected.unknown}"
            " → give what is missing, in the request or in your own catalogue, or leave max_cost_usd out"
        )
    if expected.high > limit_usd:
        raise OverCostLimit(
            f"the run may cost up to {expected.high:,.2f} USD, and max_cost_usd is {limit_usd:g}"
            " → fewer steps or epochs, a smaller slice, or a higher limit"
        )
    if endpoint:
        raise OverCostLimit(
            f"max_cost_usd is {limit_usd:g}, and deploy_model makes an endpoint that bills by the hour without an end"
            " → leave deploy_model out, or max_cost_usd"
        )
