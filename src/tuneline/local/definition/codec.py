"""Messages to and from REST JSON, with refusals in the service's own words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf import descriptor_pool, json_format

from tuneline.local.resources.errors import ApiError

LARGEST_WHOLE = 1 << 53
"""Beyond this a double does not hold every integer."""
_ONE_FOR_MANY = re.compile(r"repeated field \S+ must be in \[\]")
_NO_FIELD = re.compile(r'Message type "[^"]*" has no field named "([^"]*)" at "([^"]*)"')


class JsonCodec:
    """proto3 JSON with this pool's types, so that an Any finds its message."""

    def __init__(self, pool: descriptor_pool.DescriptorPool) -> None:
        self.pool = pool

    def dump(self, message: Any, *, enums_as_numbers: bool) -> dict[str, Any]:
        """The message as a JSON object; whole numbers are written without a point, as Google does."""
        found = json_format.MessageToDict(message, use_integers_for_enums=enums_as_numbers, descriptor_pool=self.pool)
        _whole_numbers(found)
        return found

    def parse(self, value: Mapping[str, Any], message: Any) -> None:
        """Merge a JSON object into a message; raises ApiError INVALID_ARGUMENT in the service's words."""
        if not isinstance(value, Mapping):
            raise ApiError("INVALID_ARGUMENT", "Invalid JSON payload received. The root must be an object.")
        fresh = not message.ListFields()
        try:
            json_format.ParseDict(value, message, descriptor_pool=self.pool)
        except json_format.ParseError as error:
            if not fresh or not _ONE_FOR_MANY.search(str(error)):
                raise _refusal(str(error), message) from None
            # Google's servers take one value where a list is meant, and their documentation's bodies have it.
            message.Clear()
            try:
                json_format.ParseDict(_listed(value, message.DESCRIPTOR), message, descriptor_pool=self.pool)
            except json_format.ParseError as still:
                raise _refusal(str(still), message) from None

    def set_path(self, message: Any, path: str, values: Sequence[str]) -> None:
        """Set the field `a.b` (camelCase or snake_case) from the strings of a query or a path."""
        at = message
        *outer, last = path.split(".")
        for part in outer:
            field = find_field(at, part)
            if field is None or field.message_type is None:
                raise _no_parameter(path)
            at = getattr(at, field.name)
        field = find_field(at, last)
        if field is None:
            raise _no_parameter(path)
        kind = field.message_type.full_name if field.message_type else ""
        if kind == "google.protobuf.FieldMask":
            # Clients write it in either case; the method finds the field.
            getattr(at, field.name).paths.extend(part.strip() for each in values for part in each.split(","))
            return
        value: Any
        if field.is_repeated:
            value = list(values)
        elif field.type == field.TYPE_BOOL:
            value = values[-1].lower() in ("true", "1", "")
        elif field.enum_type and values[-1].lstrip("-").isdigit():
            value = int(values[-1])
        else:
            value = values[-1]
        self.parse({field.name: value}, at)


def _listed(value: Any, descriptor: Any) -> Any:
    """A copy of a JSON object in which a single value of a repeated field is a list of one."""
    if not isinstance(value, Mapping) or descriptor.full_name.startswith("google.protobuf."):
        return value
    known = {name: field for field in descriptor.fields for name in (field.name, field.json_name)}
    copy = dict(value)
    for name, item in value.items():
        field = known.get(name)
        if field is None or (field.message_type and field.message_type.GetOptions().map_entry):
            continue
        if field.is_repeated:
            items = item if isinstance(item, list) else [item]
            copy[name] = [_listed(each, field.message_type) if field.message_type else each for each in items]
        elif field.message_type:
            copy[name] = _listed(item, field.message_type)
    return copy


def _whole_numbers(value: Any) -> None:
    """Replace floats that are whole by integers, in place."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(item, float):
            if item.is_integer() and abs(item) < LARGEST_WHOLE:
                value[key] = int(item)
        elif isinstance(item, dict | list):
            _whole_numbers(item)


def find_field(message: Any, name: str) -> Any | None:
    """The field of that proto name or JSON name."""
    fields = message.DESCRIPTOR.fields_by_name
    return fields.get(name) or next((f for f in message.DESCRIPTOR.fields if f.json_name == name), None)


def _no_parameter(path: str) -> ApiError:
    what = f"Cannot bind query parameter. Field '{path}' could not be found in request message."
    return ApiError(
        "INVALID_ARGUMENT",
        f'Invalid JSON payload received. Unknown name "{path}": {what}',
        violations=[("", f'Invalid JSON payload received. Unknown name "{path}": {what}')],
    )


def _refusal(said: str, message: Any) -> ApiError:
    found = _NO_FIELD.search(said)
    if not found:
        text = said.removeprefix("Failed to parse ")
        return ApiError("INVALID_ARGUMENT", f"Invalid value: {text}", violations=[("", text)])
    name, where = found.groups()
    # protobuf names the path as "CustomJob.jobSpec.foo"; Google as "custom_job.job_spec".
    outer = ".".join(_snake(part) for part in where.split(".")[1:-1])
    place = f" at '{outer}'" if outer else ""
    text = f'Invalid JSON payload received. Unknown name "{name}"{place}: Cannot find field.'
    near = _nearest(name, said)
    return ApiError("INVALID_ARGUMENT", text + near, violations=[(outer, text)])


def _nearest(name: str, said: str) -> str:
    import difflib

    listed = re.search(r"Available Fields\(except extensions\): \"\[(.*?)\]\"", said, re.DOTALL)
    names = re.findall(r"'([^']+)'", listed.group(1)) if listed else []
    close = difflib.get_close_matches(name.strip(": "), names, n=1, cutoff=0.75)
    return f" Did you mean '{close[0]}'?" if close else ""


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", lambda m: "_" + m.group(1).lower(), name)
