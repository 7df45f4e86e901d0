"""The definition in memory: a descriptor pool of its own, every method with its routes, and message classes on demand.

Loading takes about 0.06 s; message classes are made when they are first needed. The pool is not protobuf's default one,
so that Google's own client libraries can live in the same process.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from google.api import annotations_pb2, resource_pb2
from google.longrunning import operations_proto_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from tuneline.local.definition.codec import JsonCodec
from tuneline.local.definition.fields import FieldRules
from tuneline.local.definition.routes import Routes

CANONICAL = {"google.cloud.aiplatform.v1.": "google.cloud.aiplatform.v1beta1."}
"""Versions whose messages share field numbers: resources are kept as the wider one."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """One RPC of the definition."""

    full_name: str
    """`google.cloud.aiplatform.v1.JobService.CreateCustomJob`."""
    name: str
    service: str
    version: str
    input: str
    output: str
    client_streaming: bool
    server_streaming: bool
    response: str
    """What a long-running operation of this method answers in the end, or nothing."""
    metadata: str
    """The metadata of that operation."""

    @property
    def path(self) -> str:
        """The path of a gRPC call."""
        return f"/{self.service}/{self.name}"


class Definition:
    """Methods, routes, messages, rules and names, read from one compiled descriptor set."""

    def __init__(self, files: descriptor_pb2.FileDescriptorSet) -> None:
        self.pool = descriptor_pool.DescriptorPool()
        self.methods: dict[str, Method] = {}
        """Full name with dots → method."""
        self.routes = Routes()
        self.patterns: dict[str, tuple[str, ...]] = {}
        """Message's full name → its resource name patterns, e.g. `projects/{project}/locations/{location}/…`."""
        for file in files.file:
            self.pool.AddSerializedFile(file.SerializeToString())
            for service in file.service:
                for rpc in service.method:
                    self._add_method(f"{file.package}.{service.name}", rpc)
            for message in file.message_type:
                if message.options.HasExtension(resource_pb2.resource):
                    found = message.options.Extensions[resource_pb2.resource].pattern
                    self.patterns[f"{file.package}.{message.name}"] = tuple(found)
        self.rules = FieldRules()
        self.json = JsonCodec(self.pool)
        self._classes: dict[str, type] = {}

    def _add_method(self, service: str, rpc: descriptor_pb2.MethodDescriptorProto) -> None:
        package = service.rpartition(".")[0]
        operation = rpc.options.Extensions[operations_proto_pb2.operation_info]
        method = Method(
            full_name=f"{service}.{rpc.name}",
            name=rpc.name,
            service=service,
            version=service.split(".")[-2],
            input=rpc.input_type.lstrip("."),
            output=rpc.output_type.lstrip("."),
            client_streaming=rpc.client_streaming,
            server_streaming=rpc.server_streaming,
            response=_resolve(operation.response_type, package),
            metadata=_resolve(operation.metadata_type, package),
        )
        self.methods[method.full_name] = method
        if not rpc.options.HasExtension(annotations_pb2.http) or service.startswith(MIXINS):
            return
        first = rpc.options.Extensions[annotations_pb2.http]
        for rule in (first, *first.additional_bindings):
            verb = rule.WhichOneof("pattern")
            if verb and verb != "custom":
                self.routes.add(method, verb.upper(), getattr(rule, verb), rule.body)

    def message_class(self, full_name: str) -> Any:
        """The class of a message."""
        found = self._classes.get(full_name)
        if found is None:
            found = message_factory.GetMessageClass(self.pool.FindMessageTypeByName(full_name))
            self._classes[full_name] = found
        return found

    def new(self, full_name: str, **fields: Any) -> Any:
        """An empty message of that name, or one with these fields."""
        return self.message_class(full_name)(**fields)

    def knows(self, full_name: str) -> bool:
        """Whether there is a message of that name."""
        try:
            self.pool.FindMessageTypeByName(full_name)
        except KeyError:
            return False
        return True

    def canonical(self, full_name: str) -> str:
        """The name under which a message of any version is kept: v1beta1 where that has it."""
        for prefix, wider in CANONICAL.items():
            if full_name.startswith(prefix) and self.knows(wider + full_name[len(prefix) :]):
                return wider + full_name[len(prefix) :]
        return full_name

    def convert(self, message: Any, full_name: str) -> Any:
        """The same bytes read as another version of the message; the message itself where it is that already."""
        if message.DESCRIPTOR.full_name == full_name:
            return message
        return self.message_class(full_name).FromString(message.SerializeToString())

    def to_json(self, message: Any, *, enums_as_numbers: bool = False) -> dict[str, Any]:
        """The message as REST JSON: camelCase, defaults left out, enums by name unless numbers are asked."""
        return self.json.dump(message, enums_as_numbers=enums_as_numbers)

    def from_json(self, value: Mapping[str, Any], into: Any) -> Any:
        """JSON in camelCase or snake_case into a message, or into a new one of that full name; raises ApiError."""
        message = self.new(into) if isinstance(into, str) else into
        self.json.parse(value, message)
        return message


def _resolve(name: str, package: str) -> str:
    return name if not name or "." in name else f"{package}.{name}"


MIXINS = ("google.longrunning.", "google.cloud.location.", "google.iam.")
"""Services that every Google API carries; their own http rules are replaced by each API's, so the wire adds them."""


@cache
def load() -> Definition:
    """The definition shipped with the package, loaded once a process."""
    packed = resources.files("tuneline.local.definition").joinpath("api.binpb.gz").read_bytes()
    return Definition(descriptor_pb2.FileDescriptorSet.FromString(gzip.decompress(packed)))
