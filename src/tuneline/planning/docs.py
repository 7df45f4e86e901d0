"""The page of the plan: `python -m tuneline.planning.docs > docs/planning.md`."""

from __future__ import annotations

from tuneline.catalog.load import load_own
from tuneline.planning import arithmetic, project, rules
from tuneline.planning.parameters import TEMPLATES

_HEAD = """# Planning: everything known before a cent is spent

Made by `python -m tuneline.planning.docs`; do not edit.

`tuneline plan TEMPLATE --set key=value ...` shows what a run would do and cost, or **every** reason why it cannot be,
in one message: each names the parameter, the rule in brackets, and the way out. The same rules hold everywhere:

- the command line and the local service judge the **request** before a job exists; they see which values were given
  explicitly, and hold an explicit evaluation interval or early stopping without an evaluation set against it;
- the step `plan_tuning` judges the request **and** what `validate_dataset` found in the data, before anything is
  spent. A step cannot tell an explicit value from a default, so there the same two are a note.

Exit code 2: the request; 3: the data alone; 7: over `max_cost_usd`, or of unknown cost where that is set.

## The three regions

1. **Pipeline**: where the pipeline job runs and intermediate data is kept.
2. **Upload** (`location`): where the tuned model is uploaded and deployed; the pipeline's region if not given.
3. **Tuning**: where the job computes. It follows from the machines alone:
"""

_STEPS = """
## Steps and epochs

Examples seen = steps × batch size; epochs = examples seen ÷ examples in the training set. The batch size follows from
accelerator and model:
"""

_COST = """
## Cost

Duration is the tokens of all epochs and evaluations by the catalogue's speed of this model on this slice; cost is
duration by the slice's price. Neither is invented: where the catalogue has no figure, duration and cost are *unknown*,
with the reason, and `max_cost_usd` refuses the run, before a job exists where that needs no data
(`planning.check_cost`). Your own figures go into your own catalogue
([catalog.md](catalog.md)). A managed tuning costs the set's tokens × epochs by the catalogue's price; where
`epoch_count` is left to the service, its cost is unknown. The local service bills nothing. An endpoint (`deploy_model`)
bills by the hour without an end, so that no limit can hold it.

## Retired models

The models of the bison era take no new tuning. A request for one keeps its parameters and its meaning, and tunes the
open model that `base_model_uri` names, else the one that the catalogue puts in its place; the plan says which. On the
real service the weights must have a known place; on the local service a small built-in model stands in for weights that
are not there, and plan, job and report say so.
"""

_FALLBACKS = """
## Where capacity is refused

`fallback_slices` (of `tune-gemini` `fallback_locations`) lists what is tried in the request's place, in this order.
Each is planned and judged as if it were the first: its own region, batch size, arithmetic, quota and cost, held to
`max_cost_usd` too. The next one is tried only where quota or capacity is refused: three times to the create call
(429), or to the job after it was made (`RESOURCE_EXHAUSTED`, or expired without having run). Whatever else goes wrong
ends the run. There is one job for all of them together ([exactly-once.md](exactly-once.md)); step log, run record and
report say what was given up and why.
"""

_PROJECT = """`planning.check_project(plan)` asks the project itself, with calls that only read. What the caller may not
see is noted as not checked."""


def page() -> str:
    """The page as Markdown."""
    shipped = load_own()
    lines = [_HEAD, "| `accelerator_type` | slice | tuning region | machines |", "|---|---|---|---|"]
    for entry in shipped.slices.values():
        if entry.default:
            spec = entry.machine_spec
            machines = f"`{spec['machineType']}`, {spec['acceleratorCount']} × {spec['acceleratorType']}"
            lines.append(f"| `{entry.accelerator_type}` | `{entry.name}` | `{entry.region}` | {machines} |")
    lines += [
        "",
        "Other slices are chosen by name (`slice`); nothing switches slices by itself.",
        _FALLBACKS.rstrip(),
        _STEPS,
    ]
    lines += ["| accelerator | 8k models | 32k models |", "|---|---|---|"]
    lines += [f"| {kind} | {size['8k']} | {size['32k']} |" for kind, size in shipped.batch_sizes.items()]
    lines += ["", "For 240 examples:", ""]
    lines += [f"- TPU: {arithmetic.shown(20, 24, 240)}", f"- GPU: {arithmetic.shown(15, 8, 240)}", _COST]
    lines += ["## Parameters", "", "Names and defaults are those of the hosted templates; *ours* are additions."]
    lines += _parameters("tune-large-model", "tune-large-chat-model")
    lines += ["", "Those of the managed services are their APIs' own fields, in the SDK's spelling:"]
    lines += _parameters("tune-gemini", "tune-gemini-api")
    registered = rules.registered()
    lines += ["", "## Rules"]
    for group, title in rules.GROUPS.items():
        lines += ["", f"### {title}", "", "| rule | what it demands |", "|---|---|"]
        lines += [f"| `{entry.name}` | {entry.text} |" for entry in registered if entry.group == group]
    lines += ["", "## Where the project is reachable", "", _PROJECT, "", "| check | what it demands |", "|---|---|"]
    for check in project.CHECKS:
        text = " ".join((check.__doc__ or "").split("\n\n")[0].split())
        lines.append(f"| `{check.__name__.replace('_', '-')}` | {text} |")
    return "\n".join(lines) + "\n"


def _parameters(*templates: str) -> list[str]:
    """One table of the parameters of templates that share most of them."""
    lines = ["", "| parameter | type | default | " + " | ".join(f"`{name}`" for name in templates) + " | |"]
    lines += ["|---|---|---|" + "---|" * (len(templates) + 1)]
    taken = [{p.name: p for p in TEMPLATES[template]} for template in templates]
    for name in dict.fromkeys(name for names in taken for name in names):
        entries = [names.get(name) for names in taken]
        first = next(entry for entry in entries if entry)
        shown = dict.fromkeys(
            "required" if entry.default is None else f"`{entry.default!r}`" for entry in entries if entry
        )
        marks = " | ".join("yes" if entry else "no" for entry in entries)
        lines.append(f"| `{name}` | {first.kind} | {' / '.join(shown)} | {marks} | {'ours' if first.ours else ''} |")
    return lines


if __name__ == "__main__":
    print(page(), end="")
