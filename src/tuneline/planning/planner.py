"""The one gate: all reasons why not, in one error, or the plan."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

from tuneline import catalog
from tuneline.errors import DatasetError, Problem, UsageError
from tuneline.google import settings
from tuneline.planning import arithmetic, cost, managed, needs, parameters, rules
from tuneline.planning.model import Alternative, BaseModel, Data, Plan, Range, Regions, Slice, Training

_TEMPLATE = "tune-large-model"
BUILT_IN = "builtin:tiny"
_CONTEXT_TOKENS = {"8k": 8192, "32k": 32768}


def check_request(
    template: str,
    given_parameters: Mapping[str, object],
    *,
    given: Collection[str] | None = None,
    region: str = "",
    encryption_key: str = "",
    template_uri: str = "",
    local: bool | None = None,
) -> list[Problem]:
    """Every reason against a request that is known without network and data; empty: none.

    Args:
        template: one of `parameters.TEMPLATES`.
        given_parameters: what was given; what is left out has its default.
        given: the names that were given explicitly. None: not known, and explicit values are not held against anyone.
        region: the pipeline's region, where it is known.
        encryption_key: the request's own `encryptionSpec.kmsKeyName`.
        template_uri: the address of the template, where the request is not sent the pipeline itself.
        local: whether the request goes to the local service; None: as `TUNELINE_LOCAL_URL` says.
    """
    if template not in parameters.TEMPLATES:
        near = catalog.closest(template, parameters.TEMPLATES)
        fix = f"did you mean {near}?" if near else "known: " + ", ".join(parameters.TEMPLATES)
        return [Problem(where="template", what=f"`{template}` is not known here", fix=fix)]
    context = _context(
        template,
        given_parameters,
        given=given,
        region=region,
        encryption_key=encryption_key,
        template_uri=template_uri,
        local=local,
    )
    return rules.judge(context)[0]


def plan(
    given_parameters: Mapping[str, object],
    facts: Mapping[str, Any],
    *,
    region: str,
    template: str = _TEMPLATE,
    given: Collection[str] | None = None,
    encryption_key: str = "",
    template_uri: str = "",
) -> Plan:
    """How the request will be carried out.

    Args:
        given_parameters, given, encryption_key, template_uri: as for `check_request`.
        facts: what `validate_dataset` found: `{"train": {...}, "evaluation": {...} | None, "test": {...} | None}`.
        region: the pipeline's region.

    Raises:
        UsageError: something is wrong with the request; holds the data's problems as well.
        DatasetError: only the data is at fault.
        OverCostLimit: dearer than `max_cost_usd`, or of unknown cost where that is set.
    """
    if template not in parameters.TEMPLATES:
        raise UsageError(check_request(template, given_parameters))
    context = _context(
        template,
        given_parameters,
        given=given,
        region=region,
        encryption_key=encryption_key,
        template_uri=template_uri,
        facts=facts,
    )
    problems, remarks = rules.judge(context)
    if problems:
        data = [p for p in problems if rules.RULES[p.what.rsplit("[", 1)[1].rstrip("]")].group == "data"]
        raise (DatasetError if len(data) == len(problems) else UsageError)(problems)
    made = _fields(context)
    alternatives = tuple(_alternative(name, _fields(there)) for name, there in context.fallbacks)
    notes = [remark.text for remark in remarks if remark.level == "note"]
    warnings = [remark.text for remark in remarks if remark.level == "warning"]
    result = Plan(
        **made,
        alternatives=alternatives,
        notes=(*notes, *_notes(context)),
        warnings=(*warnings, *_warnings(context)),
    )
    for choice in result.choices():
        cost.refuse_above(result.max_cost_usd, choice.cost_usd, endpoint=result.deploy_model, local=result.local)
    return result


def check_cost(template: str, given_parameters: Mapping[str, object], *, local: bool | None = None) -> None:
    """Hold a request to its `max_cost_usd` as far as that needs no data, so that nothing is made for it in vain.

    Raises:
        OverCostLimit: there is a limit, and price, speed or end are unknown whatever the data. A figure that is above
            the limit is found by `plan`, which knows the data.
    """
    if template not in parameters.TEMPLATES:
        return
    context = _context(template, given_parameters, given=None, region="", encryption_key="", local=local)
    for choice in (context, *(there for _, there in context.fallbacks)):
        _check_cost(choice)


def _check_cost(context: rules.Context) -> None:
    model, machines = context.model, context.slice
    if context.managed:
        # At the least: a single token. Figures that need the data are `plan`'s to find.
        least = Data(uri="", format="", examples=1, tokens=1)
        expected = cost.of_tokens(model, least, context["epoch_count"] or 0, local=context.local)
        cost.refuse_above(context["max_cost_usd"] or 0.0, expected, endpoint=False, local=context.local)
        return
    if model is None or machines is None or context["max_cost_usd"] is None:
        return  # the rules tell these
    base = _base_model(context, model)
    unknown = cost.unmeasured(base.name, machines)
    held = Range(unknown=unknown) if unknown else Range(low=0.0, high=0.0)  # at the least: a measured time
    expected = cost.cost(machines, held, provisioning=context["provisioning"] or "", local=context.local)
    cost.refuse_above(context["max_cost_usd"], expected, endpoint=bool(context["deploy_model"]), local=context.local)


def _context(
    template: str,
    raw: Mapping[str, object],
    *,
    given: Collection[str] | None,
    region: str,
    encryption_key: str,
    template_uri: str = "",
    facts: Mapping[str, Any] | None = None,
    local: bool | None = None,
) -> rules.Context:
    values = parameters.defaults(template)
    for parameter in parameters.TEMPLATES[template]:
        if raw.get(parameter.name) is None:
            continue
        try:
            values[parameter.name] = parameters.decode(parameter, raw[parameter.name])
        except ValueError:
            values.pop(parameter.name, None)  # rule `readable-value` tells it; the others leave it alone
    return rules.Context(
        template=template,
        values=values,
        raw=raw,
        given=given,
        region=region,
        encryption_key=encryption_key,
        template_uri=template_uri,
        facts=facts,
        local=settings.is_local() if local is None else local,
    )


def _fields(context: rules.Context) -> dict[str, Any]:
    return managed.made(context, lambda which: _data(context, which)) if context.managed else _made(context)


def _alternative(name: str, made: Mapping[str, Any]) -> Alternative:
    names = [f.name for f in dataclasses.fields(Alternative) if f.name != "name"]
    return Alternative(name=name, **{each: made[each] for each in names})


def _made(context: rules.Context) -> dict[str, Any]:
    """The plan's fields, once no rule speaks against it."""
    model, machines = context.model, context.slice
    assert model is not None  # rule known-model
    assert machines is not None  # rules known-accelerator and known-slice
    base = _base_model(context, model)
    train, evaluation, test = (_data(context, which) for which in ("train", "evaluation", "test"))
    assert train is not None  # rule readable-data
    training = _training(context, model, machines, base, train, evaluation)
    held = cost.duration(base.name, machines, training, train, evaluation, local=context.local)
    account = context["service_account"]
    return {
        "template": context.template,
        "project": context["project"],
        "model_display_name": context["model_display_name"],
        "engine": model.engine,
        "local": context.local,
        "regions": Regions(pipeline=context.region, tuning=machines.region, upload=context.upload_region),
        "base_model": base,
        "train": train,
        "evaluation": evaluation,
        "test": test,
        "default_context": context["default_context"],
        "slice": Slice(
            name=machines.name,
            accelerator_type=machines.accelerator_type,
            machine_spec=dict(machines.machine_spec),
            replica_count=machines.replica_count,
            tried=machines.tried,
        ),
        "provisioning": context["provisioning"],
        "training": training,
        "trainer_image": context["trainer_image"] or catalog.image("trainer").uri,
        "serving_image": context["serving_image"] or catalog.image("serving").uri,
        "staging_uri": context["staging_uri"],
        "tensorboard": context["tensorboard_resource_id"],
        "encryption_key": context.key,
        "service_account": account,
        "network": context["network"],
        "labels": context["labels"],
        "deploy_model": context["deploy_model"],
        "force": context["force"],
        "on_cancel": context["on_cancel"],
        "max_cost_usd": context["max_cost_usd"],
        "duration_s": held,
        "cost_usd": cost.cost(machines, held, provisioning=context["provisioning"], local=context.local),
        "quotas": needs.quotas(context, machines),
        "permissions": needs.permissions(context),
    }


def _base_model(context: rules.Context, model: catalog.Model) -> BaseModel:
    """What will be tuned: the model itself, the one at `base_model_uri`, or the catalogue's replacement."""
    tuned, replaced = model, ""
    if not model.takes_tuning(context.today):
        tuned = catalog.find_model(model.replacement) or model
        replaced = model.state(context.today)
    uri = context["base_model_uri"] or tuned.uri
    return BaseModel(
        requested=context["large_model_reference"],
        reference=model.name,
        name=context["base_model_uri"].rstrip("/").rsplit("/", 1)[-1] if context["base_model_uri"] else tuned.name,
        family="chat"
        if context.is_chat or (context.data("train") or {}).get("format") == "palm-chat"
        else "generation",
        uri=uri or BUILT_IN,  # without a uri this is the local service: rule weights-at-hand
        stand_in=not uri,
        replaced=replaced,
    )


def _training(
    context: rules.Context,
    model: catalog.Model,
    machines: catalog.Slice,
    base: BaseModel,
    train: Data,
    evaluation: Data | None,
) -> Training:
    length = (context["max_context_length"] or "").lower()
    batch = context["batch_size"] or catalog.batch_size(machines.accelerator_type, length or model.context)
    steps = context["train_steps"]
    selection = (context["enable_checkpoint_selection"] or "false").lower()
    # The built-in model, here or as a stand-in, has a length of its own.
    own_length = context.local or base.uri.startswith("builtin:")
    return Training(
        train_steps=steps,
        batch_size=batch,
        examples_seen=arithmetic.examples_seen(steps, batch),
        epochs=arithmetic.epochs(steps, batch, train.examples),
        learning_rate=context["learning_rate"],
        learning_rate_multiplier=context["learning_rate_multiplier"],
        adapter_size=model.default_adapter_size or 0,
        max_length=0 if own_length else _CONTEXT_TOKENS[length or model.context],
        evaluation_interval=context["evaluation_interval"] if evaluation else 0,
        early_stopping=bool(evaluation and context["enable_early_stopping"]),
        checkpoint_selection=bool(evaluation) and selection in ("true", "default"),
        seed=context["seed"],
    )


def _data(context: rules.Context, which: str) -> Data | None:
    found = context.data(which)
    name = context.names.sets[which]
    if not found or not context[name]:
        return None
    tokens = found.get("tokens")
    counted = tokens if isinstance(tokens, Mapping) else {"total": tokens or 0}
    return Data(
        uri=found.get("uri") or context[name],
        format=found["format"],
        examples=int(found["examples"]),
        tokens=int(counted.get("total") or 0),
        tokens_error=float(counted.get("error", Data.tokens_error)),
        digest=found.get("digest") or "",
        crc32c=found.get("crc32c") or "",
        bytes=int(found.get("bytes") or 0),
    )


def _notes(context: rules.Context) -> list[str]:
    if context.managed:
        return managed.notes(context)
    notes = []
    if context["deploy_model"]:
        notes.append("deploy_model: the endpoint bills by the hour until the model is undeployed")
    if context["tensorboard_resource_id"] and not context["service_account"]:
        notes.append("without a service account the curves are uploaded to the TensorBoard once the tuning has ended")
    if context.slice is not None and context.upload_region != context.slice.region and not context.local:
        notes.append(
            f"the tuned model goes from {context.slice.region} to {context.upload_region}: network egress is billed"
        )
    return notes


def _warnings(context: rules.Context) -> list[str]:
    if context.local or context.managed:
        return []
    warnings = []
    if not context["trainer_image"]:
        uri = catalog.image("trainer").uri
        warnings.append(f"trainer_image is not given, so it is {uri}: Vertex AI must be able to pull it")
    if not context["serving_image"]:
        image = catalog.image("serving")
        warnings.append(f"serving_image is not given, so it is {image.uri}: {image.note}")
    return warnings
