"""What google.api.field_behavior says of each field: required, output only, immutable."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.api import field_behavior_pb2
from google.protobuf import descriptor_pb2

REQUIRED = field_behavior_pb2.REQUIRED
OUTPUT_ONLY = field_behavior_pb2.OUTPUT_ONLY
IMMUTABLE = field_behavior_pb2.IMMUTABLE
IDENTIFIER = field_behavior_pb2.IDENTIFIER


class FieldRules:
    """Field rules by full name, looked up once each."""

    def __init__(self) -> None:
        self._known: dict[str, frozenset[int]] = {}

    def of(self, field: Any) -> frozenset[int]:
        """The behaviours of a field descriptor."""
        found = self._known.get(field.full_name)
        if found is None:
            # The extension is registered in protobuf's default pool, so the options are read again there.
            options = descriptor_pb2.FieldOptions.FromString(field.GetOptions().SerializeToString())
            found = frozenset(options.Extensions[field_behavior_pb2.field_behavior])
            self._known[field.full_name] = found
        return found

    def missing(self, message: Any, prefix: str = "") -> Iterator[str]:
        """The JSON paths of required fields that are not set, in the message and in all that it holds."""
        for field in message.DESCRIPTOR.fields:
            path = prefix + field.json_name
            present = is_set(message, field)
            if not present:
                if REQUIRED in self.of(field):
                    yield path
                continue
            if not holds_messages(field):
                continue
            value = getattr(message, field.name)
            if field.is_repeated:
                for index, item in enumerate(value):
                    yield from self.missing(item, f"{path}[{index}].")
            elif value.ListFields() or REQUIRED in self.of(field):
                # Google's own clients send an empty optional message (`systemInstruction`) for one that is not given.
                yield from self.missing(value, path + ".")

    def clear_output_only(self, message: Any) -> None:
        """Drop what only the service may say: Google's APIs ignore such input."""
        for field, value in message.ListFields():
            if OUTPUT_ONLY in self.of(field):
                message.ClearField(field.name)
            elif holds_messages(field):
                for item in value if field.is_repeated else (value,):
                    self.clear_output_only(item)


def is_set(message: Any, field: Any) -> bool:
    """Whether a field has a value: for fields without presence, one that differs from the default."""
    if field.is_repeated:
        return len(getattr(message, field.name)) > 0
    if field.has_presence:
        return bool(message.HasField(field.name))
    return bool(getattr(message, field.name) != field.default_value)


def holds_messages(field: Any) -> bool:
    """Whether a field's values are messages with rules of their own (not maps, not well-known types)."""
    kind = field.message_type
    return kind is not None and not kind.GetOptions().map_entry and not kind.full_name.startswith("google.protobuf.")
