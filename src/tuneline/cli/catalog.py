"""`tuneline catalog`: what can be tuned, where, and on what, with the date and source of each figure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import click

from tuneline.cli.output import FORMAT, dump, fields, table

if TYPE_CHECKING:
    from tuneline.catalog import Model, Slice, Source


@click.group("catalog")
def command() -> None:
    """Show models, regions and slices, as the catalogue of this version and your own overlay know them."""


@command.command()
@click.argument("name", required=False)
@FORMAT
@click.option("--all", "everything", is_flag=True, help="The retired ones too.")
def models(name: str | None, form: str, everything: bool) -> None:
    """List the models that can be tuned, with what is known of their end; or show all that is known of NAME."""
    from tuneline import catalog

    today = datetime.now(UTC).date()
    if name:
        _one(form, catalog.model(name), _model_fields(catalog.model(name), today))
        return
    shown = [model for model in catalog.models() if everything or model.takes_tuning(today)]
    if form != "table":
        dump(form, [asdict(each) for each in shown])
        return
    table(
        ("model", "engine", "family", "adapter sizes", "USD / 1M tokens", "state", "replacement"),
        [
            (
                m.name,
                m.engine,
                m.family,
                ", ".join(map(str, m.adapter_sizes)) or "–",
                f"{m.price.usd_per_million_training_tokens:g}" if m.price else "–",
                m.state(today),
                m.replacement,
            )
            for m in shown
        ],
    )
    for model in shown:
        if ahead := model.retirement_ahead(today):
            click.echo(f"warning: {ahead}", err=True)
    if hidden := len(catalog.models()) - len(shown):
        click.echo(f"and {hidden} that take no new tuning: --all", err=True)
    click.echo("limits, regions, sources of one: tuneline catalog models NAME", err=True)


@command.command()
@click.argument("name", required=False)
@FORMAT
def slices(name: str | None, form: str) -> None:
    """List the slices, with their quota and whether this project's trainer ever ran there; or show all of NAME."""
    from tuneline import catalog

    if name:
        _one(form, catalog.slice(name), _slice_fields(catalog.slice(name)))
        return
    if form != "table":
        dump(form, [asdict(each) for each in catalog.slices()])
        return
    rows = [
        (
            s.name,
            f"default of {s.accelerator_type}" if s.default else "test size" if s.test_size else "by name",
            s.region,
            str(s.machine_spec.get("machineType", "")),
            "tried" if s.tried else "never tried",
            f"{s.price.usd_per_hour:g} USD/h" if s.price else "unknown",
            f"{s.quota.amount} of {s.quota.custom}" if s.quota else "unknown",
        )
        for s in catalog.slices()
    ]
    table(("slice", "chosen as", "region", "machine", "our trainer", "price", "quota of a job"), rows)
    click.echo("machines, quotas, sources of one: tuneline catalog slices NAME", err=True)


@command.command()
@FORMAT
def regions(form: str) -> None:
    """List the regions in which pipelines run and models are uploaded, and what is tuned where."""
    from tuneline import catalog

    tuned = {region: list(_tuned_in(region)) for region in catalog.regions()}
    if form != "table":
        dump(form, [{"region": region, "tunes": what} for region, what in tuned.items()])
        return
    table(("region", "what is tuned there"), [(region, ", ".join(what) or "–") for region, what in tuned.items()])
    known = catalog.current()
    served = ", ".join(known.multi_regions)
    key = known.cmek
    click.echo(f"source: {known.regions_source}", err=True)
    click.echo(f"tuned Gemini 3.x models are served from the multi-regions {served}", err=True)
    click.echo(f"customer-managed keys: large models with {key.accelerator} alone, all in {key.region}", err=True)


def _tuned_in(region: str) -> Iterator[str]:
    """The slices in a region, then the Gemini models for which the catalogue has a list of regions."""
    from tuneline import catalog

    for entry in catalog.slices():
        if entry.region == region:
            yield entry.name + (f" (default of {entry.accelerator_type})" if entry.default else "")
    yield from (model.name for model in catalog.models() if region in model.tuning_regions)


def _one(form: str, entry: Model | Slice, rows: list[tuple[str, object]]) -> None:
    if form == "table":
        fields(rows)
    else:
        dump(form, asdict(entry))


def _model_fields(model: Model, today: date) -> list[tuple[str, object]]:
    from tuneline import catalog

    limits = {
        "tokens an example": model.max_tokens,
        "… managed service": model.managed_max_tokens,
        "tokens in": model.max_input_tokens,
        "tokens out": model.max_output_tokens,
        "characters in": model.max_input_characters,
        "characters out": model.max_output_characters,
        "training examples from": model.min_examples,
        "… warned of below": model.few_examples,
        "… recommended": model.recommended_examples,
        "… up to": model.max_examples,
        "… with media up to": model.max_multimodal_examples,
        "author fields up to": model.max_author_fields,
        "evaluation examples from": model.min_evaluation_examples,
        "evaluation examples up to": model.max_evaluation_examples,
        "bytes of a file up to": model.max_file_bytes,
    }
    share = f"{model.max_evaluation_share:.0%} of the training set" if model.max_evaluation_share else ""
    share += f", above {model.evaluation_share_from:,}" if share and model.evaluation_share_from else ""
    quota = catalog.current().quotas.get(model.engine)
    price = model.price
    sizes = catalog.current().batch_sizes.items() if model.context else ()
    return [
        ("model", model.name),
        ("also named", ", ".join(model.aliases)),
        ("engine", model.engine),
        ("family", model.family),
        ("state", model.state(today)),
        ("closes", model.closes),
        ("shuts down", model.retired),
        ("warning", model.retirement_ahead(today)),
        ("in its place", model.replacement),
        *((name, f"{value:,}") for name, value in limits.items() if value),
        ("evaluation share up to", share),
        ("adapter sizes", ", ".join(map(str, model.adapter_sizes))),
        ("… by default", model.default_adapter_size),
        ("examples a step", ", ".join(f"{kind} {each[model.context]}" for kind, each in sizes)),
        ("tuned in", ", ".join(model.tuning_regions or model.managed_regions)),
        ("quota of a job", f"1 of {quota.name}, at least {quota.least} a project" if quota else "by its slice"),
        ("customer-managed key", {None: "", True: "yes", False: "no"}[model.cmek]),
        ("price", f"{price.usd_per_million_training_tokens:g} USD per 1M training tokens" if price else "unknown"),
        ("… source", price.source if price else ""),
        ("weights", model.uri),
        ("architecture", model.architecture + ("" if model.trainer or not model.architecture else ", not loaded here")),
        ("licence", model.licence),
        ("note", model.note),
        *_sources(model.source),
    ]


def _slice_fields(entry: Slice) -> list[tuple[str, object]]:
    quota = entry.quota
    return [
        ("slice", entry.name),
        ("accelerator type", entry.accelerator_type + (", its default" if entry.default else "")),
        ("region", entry.region),
        *((key, value) for key, value in entry.machine_spec.items()),
        ("replicas", entry.replica_count),
        ("VPC-SC", {None: "", True: "yes", False: "no"}[entry.vpc_sc]),
        ("our trainer", "tried" if entry.tried else "never tried on it"),
        ("quota of a job", f"{quota.amount} of {quota.custom}" if quota else "unknown"),
        ("… by Spot, flex start", quota.custom_preemptible if quota else ""),
        ("… of the hosted template", quota.hosted if quota else ""),
        ("price", f"{entry.price.usd_per_hour:g} USD/h" if entry.price else "unknown: your own catalogue can give one"),
        ("… source", entry.price.source if entry.price else ""),
        *(
            (f"speed of {name}", f"{s.low:,.0f} to {s.high:,.0f} tokens/s ({s.source})")
            for name, s in entry.speeds.items()
        ),
        ("note", entry.note),
        *_sources(entry.source),
    ]


def _sources(sources: tuple[Source, ...]) -> Iterator[tuple[str, object]]:
    for source in sources:
        yield "source", f"{source}" + (f" {source.url}" if source.url else "")
