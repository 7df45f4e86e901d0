"""One entrance for every API call, whatever transport brought it: log, faults, rules, then the method itself.

Standard methods (create, get, list, update, delete, cancel) work for every resource of the definition; a Behaviour adds
meaning, a registered method replaces or adds one. What has neither, and would need one, answers UNIMPLEMENTED by name.
"""

from __future__ import annotations

import asyncio
import inspect
import re
import time
from collections.abc import AsyncGenerator
from typing import Any

from tuneline.local.definition import Definition, Method
from tuneline.local.resources import standard
from tuneline.local.resources.behaviour import METHODS, Call
from tuneline.local.resources.calls import CallLog
from tuneline.local.resources.errors import ApiError
from tuneline.local.resources.faults import Dropped, Fault, Faults, Late
from tuneline.local.resources.names import check_location
from tuneline.local.resources.projects import Projects
from tuneline.local.resources.store import Store

_STANDARD = re.compile(r"^(Create|Get|List|Update|Delete|Cancel)([A-Z]\w*)$")


class Engine:
    """Carries out calls on one store."""

    def __init__(
        self, *, service: Any, api: Definition, store: Store, calls: CallLog, faults: Faults, projects: Projects
    ) -> None:
        self.service = service
        self.api = api
        self.store = store
        self.calls = calls
        self.faults = faults
        self.projects = projects

    async def call(self, method: Method, request: Any, call: Call) -> Any:
        """The answer, in the version asked; for a server-streaming method an async iterator of answers.

        Raises ApiError, and faults.Dropped where the connection is to be cut.
        """
        began = time.monotonic()
        resource = _resource_of(request)
        try:
            fault = await self._fault(method, request, call)
            self._normalise(request)
            resource = _resource_of(request)
            self._check(method, request)
            answer = await self._carry_out(method, request, call, fault)
            if not isinstance(answer, AsyncGenerator):
                answer = self.api.convert(answer, method.output)
                resource = getattr(answer, "name", "") or resource
            elif not method.server_streaming:
                raise TypeError(f"{method.full_name} gave a stream and does not stream")
            else:
                answer = self._converted(answer, method.output)
            await self.faults.after(fault)
        except ApiError as error:
            self.calls.record(call, resource, error.http, began, error.message)
            raise
        except asyncio.CancelledError:
            self.calls.record(call, resource, 499, began, "the client went away")
            raise
        except Dropped as dropped:
            self.calls.record(call, resource, 0, began, str(dropped))
            raise
        except Exception as error:
            self.calls.record(call, resource, 500, began, repr(error))
            raise
        self.calls.record(call, resource, 200, began)
        return answer

    async def _fault(self, method: Method, request: Any, call: Call) -> Fault | None:
        """Use up a fault that waits for this method."""
        try:
            return await self.faults.before(method.name)
        except Late as late:
            self.service.background(self._later(late.seconds, method, request, call), name=f"late {method.name}")
            raise

    async def _later(self, seconds: float, method: Method, request: Any, call: Call) -> None:
        await asyncio.sleep(seconds)
        await self.call(method, request, call)

    async def _carry_out(self, method: Method, request: Any, call: Call, fault: Fault | None) -> Any:
        answer = self._dispatch(method, request, call)
        if inspect.isawaitable(answer):
            answer = await answer
        if fault is not None and fault.lag_s:
            standard.leave_out_young(answer, self.service.now().timestamp() - fault.lag_s)
        return answer

    async def _converted(self, answers: AsyncGenerator[Any, None], full_name: str) -> AsyncGenerator[Any, None]:
        async for answer in answers:
            yield self.api.convert(answer, full_name)

    def _normalise(self, request: Any) -> None:
        """Write project numbers as ids, so that a resource has one name; refuse empty and misspelled locations."""
        for field, value in request.ListFields():
            if field.type != field.TYPE_STRING or field.is_repeated or not value.startswith("projects/"):
                continue
            setattr(request, field.name, self.projects.by_id(value))
            check_location(value, field.json_name)

    def _check(self, method: Method, request: Any) -> None:
        missing = list(self.api.rules.missing(request))
        if method.name.startswith("Update"):
            # Only what the mask names is sent; the resource that is stored has the rest. Without a mask all that is set
            # is meant (google.aip.dev/134): google-genai's models.update sends none.
            missing = [path for path in missing if "." not in path and path != "updateMask"]
        if missing:
            what = [(path, "Required field is not set.") for path in missing]
            named = ", ".join(missing)
            raise ApiError("INVALID_ARGUMENT", f"Required field is not set: {named}.", violations=what)

    def _dispatch(self, method: Method, request: Any, call: Call) -> Any:
        handler = METHODS.get(method.full_name)
        if handler:
            return handler(self.service, request, call)
        found = _STANDARD.match(method.name)
        if found:
            return standard.METHODS[found.group(1)](self.service, method, request, call)
        raise unimplemented(method)


def unimplemented(method: Method) -> ApiError:
    """The refusal for a method that would need a meaning it does not have here."""
    return ApiError(
        "UNIMPLEMENTED",
        f"{method.full_name} is not implemented by the local Vertex AI. What is: docs/local-vertex.md.",
        reason="METHOD_NOT_IMPLEMENTED_LOCALLY",
        metadata={"method": method.full_name},
    )


def _resource_of(request: Any) -> str:
    """The name that the call log shows: what the request is about."""
    for name in ("name", "parent", "endpoint", "model"):
        value = getattr(request, name, "")
        if isinstance(value, str) and value:
            return value
    for field, value in request.ListFields():
        if field.message_type and not field.is_repeated and isinstance(getattr(value, "name", None), str):
            return str(value.name)
    return ""
