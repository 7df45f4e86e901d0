"""`/_tuneline/…`: what the service says of itself, and what tests and the command line tell it."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from tuneline.local.definition.strict import parse_body
from tuneline.local.resources.errors import ApiError, invalid
from tuneline.local.resources.faults import RUNS, Fault
from tuneline.local.wire.exchange import Receive, Scope, Send, read_body, send_error, send_json

FARTHEST_S = 100 * 365 * 86400
"""How far the clock moves at once."""


class Control:
    """The service's own small API; never the way of a Google client."""

    def __init__(self, service: Any) -> None:
        self.service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await read_body(receive)
            path = scope["path"].removeprefix("/_tuneline").rstrip("/")
            await send_json(send, 200, self._answer(scope["method"], path, body))
        except ApiError as error:
            await send_error(send, error)

    def _answer(self, verb: str, path: str, body: bytes) -> Any:
        service = self.service
        if path not in ("/status", "/calls"):
            service.calls.touch()
        match verb, path:
            case "GET", "/status":
                return service.status()
            case "GET", "/calls":
                return {"calls": service.calls.recent()}
            case "GET", "/faults":
                return {"faults": [fault.to_json() for fault in service.faults.list()]}
            case "POST", "/faults":
                value = parse_body(body)
                for fault in [self._fault(each) for each in (value if isinstance(value, list) else [value])]:
                    service.faults.add(fault)
                return {"faults": [fault.to_json() for fault in service.faults.list()]}
            case "DELETE", "/faults":
                service.faults.clear()
                return {"faults": []}
            case "GET", "/clock":
                return {"now": service.now().isoformat()}
            case "POST", "/clock":
                value = parse_body(body)
                seconds = value.get("forward_s") if isinstance(value, dict) else None
                if not isinstance(seconds, int | float) or not 0 <= seconds <= FARTHEST_S:
                    raise invalid("forward_s", f"the seconds to move the clock forward, 0 to {FARTHEST_S}.")
                service.forward(seconds)
                return {"now": service.now().isoformat()}
            case "GET", "/quota":
                return service.quotas.to_json(service)
            case "POST", "/quota":
                service.quotas.set_json(service, parse_body(body))
                return service.quotas.to_json(service)
            case "POST", "/shutdown":
                service.stop("asked to shut down")
                return {"stopping": True}
        raise ApiError("NOT_FOUND", f"{verb} /_tuneline{path} is nothing that the local service answers.")

    def _fault(self, value: Any) -> Fault:
        """A fault whose method some API here has; a misspelled one would wait for ever."""
        if not isinstance(value, dict):
            raise invalid("fault", 'is an object: {"method": "CreateTuningJob", "status": 503}.')
        fault = Fault.from_json(value)
        names = sorted({method.name for method in self.service.api.methods.values()} | RUNS)
        if not fault.method.startswith("storage.") and not any(fault.strikes(name) for name in names):
            near = "".join(f" Did you mean {each}?" for each in get_close_matches(fault.method, names, n=1))
            raise invalid("method", f"no method is called {fault.method}.{near}")
        return fault
