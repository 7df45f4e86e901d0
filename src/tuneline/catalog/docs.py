"""The catalogue's page: `python -m tuneline.catalog.docs > docs/catalog.md`."""

from __future__ import annotations

from tuneline.catalog.load import load_own
from tuneline.catalog.model import Catalog, Model, Source

_HEAD = """# The catalogue

What can be tuned, where, on which machines, within which limits, at which price, until when. Made from
`src/tuneline/catalog/data/*.toml` by `python -m tuneline.catalog.docs`; do not edit. `tuneline catalog
models|regions|slices` shows it with today's state.

Every entry names its source and the day it was read there. A field that is absent is unknown, and is said to be:
nothing is guessed, and a cost limit refuses a run whose price is unknown.

## Your own figures

A TOML file of yours is laid over the shipped one, key by key: `TUNELINE_CATALOG`, else
`~/.config/tuneline/catalog.toml`. It may change an entry, add one, and give what is unknown here:

```toml
[slices.gpu-8xa100-80gb.price]
usd_per_hour = 41.5                  # the whole slice, as your contract says

[slices.gpu-8xa100-80gb.speeds.qwen3-8b]
low = 30000                          # training tokens a second, slowest and fastest run you have seen
high = 45000
startup_s = 600                      # billed before the first step

[models.qwen3-8b]
uri = "gs://my-bucket/models/qwen3-8b"

[models.my-model]
kind = "open"
engine = "custom_training"
family = "both"
context = "8k"
trainer = true
uri = "gs://my-bucket/models/my-model"
```

With a price and a speed, `tuneline plan` gives a cost range, and `max_cost_usd` can hold a run to it.
"""


def page(catalog: Catalog) -> str:
    """The page as Markdown."""
    lines = [_HEAD, "## Models", ""]
    lines += ["| model | kind | engine | family | context | tuning | in its place | weights | limits | source |"]
    lines += ["|---|---|---|---|---|---|---|---|---|---|"]
    for model in catalog.models.values():
        cells = (
            f"`{model.name}`",
            model.kind,
            model.engine,
            model.family,
            model.context or "–",
            _life(model),
            f"`{model.replacement}`" if model.replacement else "–",
            f"`{model.uri}`" if model.uri else "–",
            _limits(model),
            _sources(model.source),
        )
        lines.append("| " + " | ".join(cells) + " |")
    lines += [
        "",
        "## Slices",
        "",
        "| slice | type | region | machines | tried | quota of a custom job | price | source |",
    ]
    lines += ["|---|---|---|---|---|---|---|---|"]
    for entry in catalog.slices.values():
        spec = ", ".join(f"{key} {value}" for key, value in entry.machine_spec.items())
        what = "default of " + entry.accelerator_type if entry.default else entry.accelerator_type
        quota = f"{entry.quota.amount} of `{entry.quota.custom}`" if entry.quota else "unknown"
        price = f"{entry.price.usd_per_hour:g} USD/h" if entry.price else "unknown"
        tried = "yes" if entry.tried else "no"
        cells = (f"`{entry.name}`", what, entry.region, spec, tried, quota, price, _sources(entry.source))
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "## Regions", ""]
    lines += [f"Pipelines run in, and models are uploaded to, these {len(catalog.regions)} regions"]
    lines += [f"({catalog.regions_source.key}): " + ", ".join(f"`{name}`" for name in catalog.regions) + "."]
    lines += ["", "## Quotas of the services", "", "Those of custom jobs follow from the slice, above.", ""]
    lines += ["| engine | quota, over all regions | at least | source |", "|---|---|---|---|"]
    lines += [f"| {e} | {q.name} | {q.least} a project | {q.source.key} |" for e, q in catalog.quotas.items()]
    lines += ["", "## Batch sizes", "", "Examples a tuning step, by accelerator and context length of the model."]
    lines += ["", "| accelerator | 8k models | 32k models |", "|---|---|---|"]
    lines += [f"| {kind} | {sizes['8k']} | {sizes['32k']} |" for kind, sizes in catalog.batch_sizes.items()]
    lines += ["", "## Sources", "", "| key | what | kind | read |", "|---|---|---|---|"]
    for source in catalog.sources.values():
        if source.read:
            title = f"[{source.title}]({source.url})" if source.url else source.title
            lines.append(f"| {source.key} | {title} | {source.kind} | {source.read} |")
    return "\n".join(lines) + "\n"


def _life(model: Model) -> str:
    """What is known of its end, with no reference to today."""
    if not model.tunable:
        return "closed"
    days = [f"until {model.closes}"] if model.closes else []
    days += [f"shut down {model.retired}"] if model.retired else []
    days += [f"retires not before {model.retires_not_before}"] if model.retires_not_before else []
    return ", ".join(days) or "open"


def _limits(model: Model) -> str:
    names = {
        "max_tokens": "tokens",
        "managed_max_tokens": "tokens (managed service)",
        "max_input_tokens": "tokens in",
        "max_output_tokens": "tokens out",
        "max_examples": "examples",
        "max_author_fields": "author fields (chat)",
        "max_evaluation_examples": "evaluation examples",
    }
    parts = [f"{getattr(model, field):,} {words}" for field, words in names.items() if getattr(model, field)]
    parts += ["adapter sizes " + ", ".join(map(str, model.adapter_sizes))] if model.adapter_sizes else []
    price = model.price
    parts += (
        [f"{price.usd_per_million_training_tokens:g} USD per 1M training tokens ({price.source.key})"] if price else []
    )
    return "; ".join(parts) or "unknown"


def _sources(sources: tuple[Source, ...]) -> str:
    return ", ".join(source.key for source in sources)


if __name__ == "__main__":
    print(page(load_own()), end="")
