"""Writes the type stubs of `tuneline.components` and `tuneline.pipelines` from the compiled templates.

Editors then know every parameter, its type, its default and its description, though the modules load their content
from YAML. `python -m pipelines.compile` calls this; a test fails where a stub is stale.
"""

import re
import textwrap
from pathlib import Path

import yaml

SOURCE = Path(__file__).resolve().parent.parent / "src" / "tuneline"

HEAD = '''"""Generated from compiled/{kind}/ by `make compile`: do not edit."""

from kfp.dsl import PipelineTask
from kfp.dsl.pipeline_channel import PipelineChannel

'''

TYPES = {
    "STRING": "str",
    "NUMBER_INTEGER": "int",
    "NUMBER_DOUBLE": "float",
    "BOOLEAN": "bool",
    "STRUCT": "dict[str, object]",
    "LIST": "list[object]",
}


def text(kind: str, compiled: Path) -> str:
    """The stub of one module, `components` or `pipelines`."""
    documents = [path.read_text() for path in sorted((compiled / kind).glob("*.yaml"))]
    return HEAD.format(kind=kind) + "\n".join(
        _function(yaml.safe_load(document), _description(document)) for document in documents
    )


def write(compiled: Path) -> list[Path]:
    """Writes both stubs beside the modules they describe."""
    written = []
    for kind in ("components", "pipelines"):
        path = SOURCE / f"{kind}.pyi"
        path.write_text(text(kind, compiled))
        written.append(path)
    return written


def _function(spec: dict, description: str) -> str:
    name = spec["pipelineInfo"]["name"].replace("-", "_")
    parameters = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    # The exit task's status is filled in by the pipeline service; nobody passes it.
    given = {key: value for key, value in parameters.items() if value["parameterType"] in TYPES}
    required = [key for key, value in given.items() if not value.get("isOptional")]
    optional = [key for key, value in given.items() if value.get("isOptional")]
    lines = [f"def {name}(", "    *,"]
    lines += [f"    {key}: {TYPES[given[key]['parameterType']]} | PipelineChannel," for key in required]
    lines += [f"    {key}: {TYPES[given[key]['parameterType']]} | PipelineChannel = ...," for key in optional]
    lines.append(") -> PipelineTask:")
    lines.append(_docstring(spec, description, {key: given[key] for key in (*required, *optional)}))
    return "\n".join(lines) + "\n"


def _docstring(spec: dict, description: str, parameters: dict) -> str:
    outputs = spec["root"].get("outputDefinitions", {})
    lines = [f'"""{description}', ""]
    if parameters:
        lines.append("Args:")
        for key, value in parameters.items():
            lines += _entry(key, value.get("description", "").strip() + _default(value))
        lines.append("")
    lines.append("Outputs:")
    for key, value in outputs.get("parameters", {}).items():
        lines += _entry(key, f"{TYPES[value['parameterType']]}. {value.get('description', '')}")
    for key, value in outputs.get("artifacts", {}).items():
        lines += _entry(key, f"{value['artifactType']['schemaTitle']}. {value.get('description', '')}")
    return textwrap.indent("\n".join([*lines, '"""']), "    ")


def _entry(key: str, description: str) -> list[str]:
    return textwrap.wrap(f"{key}: {description}".rstrip(), 110, initial_indent="    ", subsequent_indent="        ")


def _default(parameter: dict) -> str:
    value = parameter.get("defaultValue")
    if value in (None, "", {}):
        return ""
    # YAML of a spec holds every number as a float.
    return f" Default: {int(value) if parameter['parameterType'] == 'NUMBER_INTEGER' else value!r}."


def _description(document: str) -> str:
    """The first line of the template's docstring, which kfp keeps in the YAML's opening comment alone."""
    found = re.search(r"^# Description: (.+)$", document, re.MULTILINE)
    return found.group(1) if found else ""
