"""A plan as text: what will happen, where, on what, and what it costs."""

from __future__ import annotations

from tuneline.planning import arithmetic
from tuneline.planning.model import Data, Plan, Range


def render(plan: Plan) -> str:
    """The plan in lines of `name  value`, then notes and warnings."""
    training, base = plan.training, plan.base_model
    rows = [
        ("template", plan.template + (" (local service)" if plan.local else "")),
        ("model to make", plan.model_display_name or "named by the service"),
        ("base model", _base(plan)),
        ("engine", plan.engine),
        ("regions", _regions(plan)),
        ("machines", _machines(plan)),
        ("training set", _data(plan.train)),
        ("evaluation set", _data(plan.evaluation)),
        ("test set", _data(plan.test)),
        _amount(plan),
        ("learning rate", _rate(plan)),
        ("evaluation", _evaluation(plan)),
        ("checkpoint", "the best by evaluation" if training.checkpoint_selection else "the last"),
        *_asked(plan),
        ("encryption", plan.encryption_key or "Google's own keys"),
        ("deploy", "by the service" if plan.managed else "yes" if plan.deploy_model else "no"),
        ("duration", _range(plan.duration_s, seconds=True)),
        ("cost", _range(plan.cost_usd)),
        *_fallbacks(plan),
        *(("quota", f"{q.amount} of {q.name} in {q.region}") for q in plan.quotas),
        *(("permission", permission) for permission in plan.permissions),
    ]
    if base.uri and not base.uri.startswith("builtin:"):
        rows.insert(3, ("weights", base.uri))
    width = max(len(name) for name, _ in rows)
    lines = [f"{name:<{width}}  {value}" for name, value in rows]
    lines += [f"warning: {text}" for text in plan.warnings]
    lines += [f"note: {text}" for text in plan.notes]
    return "\n".join(lines)


def _fallbacks(plan: Plan) -> list[tuple[str, str]]:
    """Where the job goes if capacity is refused to it, with what is different there."""
    rows = []
    for number, there in enumerate(plan.choices()[1:], start=1):
        machines = f"{_machines(there)} in " if there.slice else ""
        steps = f"; {_amount(there)[1]}" if there.training != plan.training else ""
        costs = f"; {_range(there.cost_usd)}" if there.cost_usd != plan.cost_usd else ""
        rows.append((f"fallback {number}", f"{machines}{there.regions.tuning}{steps}{costs}"))
    return rows


def _amount(plan: Plan) -> tuple[str, str]:
    """How often the set is read."""
    training = plan.training
    if plan.managed is None:
        return "steps", arithmetic.shown(training.train_steps, training.batch_size, plan.train.examples)
    if not training.epochs:
        return "epochs", "chosen by the service"
    batch = f", {training.batch_size} a step" if training.batch_size else ""
    return "epochs", f"{training.epochs:g} of {plan.train.examples:,} examples{batch}"


def _asked(plan: Plan) -> list[tuple[str, str]]:
    """What a managed job is asked for beyond the rest."""
    wanted = plan.managed
    if wanted is None:
        return []
    rows = []
    if plan.engine == "vertex_tuning":
        rows.append(("adapter size", str(plan.training.adapter_size or "chosen by the service")))
    if wanted.preference:
        rows.append(("preference", f"beta {wanted.beta:g}" if wanted.beta else "beta chosen by the service"))
    if wanted.checkpoint_id:
        rows.append(("tuned from", f"checkpoint {wanted.checkpoint_id}"))
    if wanted.tuned_model_id:
        rows.append(("tuned model id", wanted.tuned_model_id))
    return rows


def _base(plan: Plan) -> str:
    base = plan.base_model
    words = base.requested
    if base.replaced:
        words += f" ({base.replaced}): {base.name} is tuned in its place"
    if base.stand_in:
        words += "; here the built-in model stands in for it"
    return words


def _regions(plan: Plan) -> str:
    where = plan.regions
    return f"pipeline {where.pipeline}, tuning {where.tuning}, upload {where.upload}"


def _machines(plan: Plan) -> str:
    if plan.slice is None:
        return "chosen by the service"
    spec = plan.slice.machine_spec
    accelerators = f", {spec['acceleratorCount']} × {spec['acceleratorType']}" if "acceleratorType" in spec else ""
    how = "" if plan.provisioning == "standard" else f", {plan.provisioning}"
    where = " (this machine, on the local service)" if plan.local else ""
    return f"{plan.slice.name}: {spec.get('machineType', '')}{accelerators}{how}{where}"


def _data(found: Data | None) -> str:
    if found is None:
        return "none"
    tokens = f", about {found.tokens:,} tokens" if found.tokens else ""
    return f"{found.uri}: {found.examples:,} examples, {found.format}{tokens}"


def _rate(plan: Plan) -> str:
    training = plan.training
    if training.learning_rate:
        return f"{training.learning_rate:g}"
    if not training.learning_rate_multiplier:
        return "recommended"
    return f"recommended × {training.learning_rate_multiplier:g}"


def _evaluation(plan: Plan) -> str:
    if plan.evaluation is None:
        return "none: no evaluation set"
    if plan.managed:
        return "by the service while it tunes, by predictions after it"
    training = plan.training
    number = arithmetic.evaluations(training.train_steps, training.evaluation_interval)
    stop = ", stops early when it no longer improves" if training.early_stopping else ""
    return f"every {training.evaluation_interval} steps, {number} in all{stop}"


def _range(value: Range, *, seconds: bool = False) -> str:
    if value.low is None or value.high is None:
        return f"unknown: {value.unknown}"
    if seconds:
        return f"{value.low / 60:,.0f} to {value.high / 60:,.0f} minutes"
    if value.high == 0:
        return "0 USD: nothing is billed here"
    return f"{value.low:,.2f} to {value.high:,.2f} USD"
