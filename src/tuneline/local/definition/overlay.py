"""REST fields that stand only in Google's discovery document, added to the compiled .proto files.

A discovery schema `GoogleCloudAiplatformV1TuningJob` is the message `google.cloud.aiplatform.v1.TuningJob`; where it
has a property that the message lacks (`preferenceOptimizationSpec`), the message gets a field of that JSON name. Its
number is the one that the other API version's .proto file gives that field, else a stable hash of the name, at least
100000: so v1 and v1beta1 read each other's bytes, and no number of Google's is met.
"""

from __future__ import annotations

import re
import zlib
from typing import Any

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet

FIRST = 100_000
SPAN = 400_000_000
SCALARS = {
    ("string", ""): FieldDescriptorProto.TYPE_STRING,
    ("string", "int64"): FieldDescriptorProto.TYPE_INT64,
    ("string", "uint64"): FieldDescriptorProto.TYPE_UINT64,
    ("string", "byte"): FieldDescriptorProto.TYPE_BYTES,
    ("integer", "int32"): FieldDescriptorProto.TYPE_INT32,
    ("integer", "uint32"): FieldDescriptorProto.TYPE_UINT32,
    ("number", "double"): FieldDescriptorProto.TYPE_DOUBLE,
    ("number", "float"): FieldDescriptorProto.TYPE_FLOAT,
    ("boolean", ""): FieldDescriptorProto.TYPE_BOOL,
}
WELL_KNOWN = {
    "google-datetime": ("google/protobuf/timestamp.proto", ".google.protobuf.Timestamp"),
    "google-duration": ("google/protobuf/duration.proto", ".google.protobuf.Duration"),
}


def field_number(json_name: str) -> int:
    """The number of an overlaid field: the same in every version and in every release."""
    return FIRST + zlib.crc32(json_name.encode()) % SPAN


Known = dict[tuple[str, str], FieldDescriptorProto]
"""(message path without dots, field name) → the field, as a .proto file has it."""


def proto_fields(files: FileDescriptorSet, package: str) -> Known:
    """Every field of a package's messages, nested ones included."""
    found: Known = {}

    def walk(message: DescriptorProto, outer: str) -> None:
        for field in message.field:
            found[outer + message.name, field.name] = FieldDescriptorProto.FromString(field.SerializeToString())
        for nested in message.nested_type:
            walk(nested, outer + message.name)

    for file in files.file:
        if file.package == package:
            for message in file.message_type:
                walk(message, "")
    return found


def add_discovery_fields(
    files: FileDescriptorSet, package: str, document: dict[str, Any], other: Known
) -> tuple[list[str], list[str]]:
    """Add the missing fields to the messages of `package`; answers (added, left out because of their type).

    `other` has the fields of the other API version, from its .proto files.
    """
    return _Overlay(files, package, document, other).run()


class _Overlay:
    def __init__(self, files: FileDescriptorSet, package: str, document: dict[str, Any], other: Known) -> None:
        self.other = other
        self.schemas: dict[str, Any] = document["schemas"]
        self.package = package
        self.prefix = "GoogleCloudAiplatform" + package.rsplit(".", 1)[1].capitalize()
        self.files = {f.name: f for f in files.file}
        self.messages: dict[str, tuple[str, DescriptorProto, FileDescriptorProto]] = {}
        for file in files.file:
            if file.package == package:
                for message in file.message_type:
                    self._index(message, "", file)
        self.added: list[str] = []
        self.skipped: list[str] = []

    def _index(self, message: DescriptorProto, outer: str, file: FileDescriptorProto) -> None:
        path = f"{outer}{message.name}"
        self.messages[path.replace(".", "")] = (f"{self.package}.{path}", message, file)
        for nested in message.nested_type:
            self._index(nested, path + ".", file)

    def run(self) -> tuple[list[str], list[str]]:
        for flat in sorted(self.messages):
            self._fill(flat)
        return self.added, self.skipped

    def _fill(self, flat: str) -> None:
        _, message, file = self.messages[flat]
        have = {f.name.replace("_", "").lower() for f in message.field}
        for name, schema in sorted(self.schemas.get(self.prefix + flat, {}).get("properties", {}).items()):
            if name.replace("_", "").lower() in have:
                continue
            field = FieldDescriptorProto(
                name=re.sub("([A-Z])", lambda m: "_" + m.group(1).lower(), name),
                json_name=name,
                label=FieldDescriptorProto.LABEL_OPTIONAL,
                number=field_number(name),
            )
            if self._type(field, schema, file):
                twin = self.other.get((flat, field.name))
                if twin and twin.type == field.type and twin.number not in {f.number for f in message.field}:
                    field.number = twin.number
                message.field.append(field)
                self.added.append(f"{flat}.{name}")
            else:
                self.skipped.append(f"{flat}.{name}")

    def _type(self, field: FieldDescriptorProto, schema: dict[str, Any], file: FileDescriptorProto) -> bool:
        if schema.get("type") == "array":
            field.label = FieldDescriptorProto.LABEL_REPEATED
            schema = schema["items"]
        reference = schema.get("$ref")
        if reference:
            return reference.startswith(self.prefix) and self._message(field, reference[len(self.prefix) :], file)
        known = WELL_KNOWN.get(schema.get("format", ""))
        if known:
            self._depend(file, known[0])
            field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, known[1]
            return True
        if schema.get("type") in ("object", "any"):  # free-form: a Struct or a Value
            self._depend(file, "google/protobuf/struct.proto")
            field.type = FieldDescriptorProto.TYPE_MESSAGE
            field.type_name = ".google.protobuf." + ("Struct" if schema["type"] == "object" else "Value")
            return True
        scalar = SCALARS.get((schema.get("type", ""), schema.get("format", "")))
        if scalar is None:
            return False
        field.type = scalar
        return True

    def _message(self, field: FieldDescriptorProto, flat: str, file: FileDescriptorProto) -> bool:
        if flat not in self.messages:
            new = file.message_type.add(name=flat)
            self._index(new, "", file)
            self._fill(flat)
        full, _, home = self.messages[flat]
        if home.name != file.name and not self._depend(file, home.name):
            return False
        field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, "." + full
        return True

    def _depend(self, file: FileDescriptorProto, on: str) -> bool:
        """Let `file` import `on`, unless that would close a circle of imports."""
        if on in file.dependency:
            return True
        seen, stack = set(), [on]
        while stack:
            name = stack.pop()
            if name == file.name:
                return False
            if name not in seen:
                seen.add(name)
                stack.extend(self.files[name].dependency)
        file.dependency.append(on)
        return True
