"""`/_tuneline/…`: what the service says of itself, and what tests and the command line tell it."""

from __future__ import annotations

from typing import Any

from tuneline.local.definition.strict import parse_body
from tuneline.local.resources.errors import ApiError, invalid
from tuneline.local.resources.faults import Fault
from tuneline.local.wire.exchange import Receive, Scope, Send, read_body, send_error, send_json


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
                for one in value if isinstance(value, list) else [value]:
                    service.faults.add(Fault.from_json(one))
                return {"faults": [fault.to_json() for fault in service.faults.list()]}
            case "DELETE", "/faults":
                service.faults.clear()
                return {"faults": []}
            case "GET", "/clock":
                return {"now": service.now().isoformat()}
            case "POST", "/clock":
                value = parse_body(body)
                if not isinstance(value, dict) or not isinstance(value.get("forward_s"), int | float):
                    raise invalid("forward_s", "the seconds to move the clock forward, as a number.")
                service.forward(value["forward_s"])
                return {"now": service.now().isoformat()}
            case "POST", "/shutdown":
                service.stop("asked to shut down")
                return {"stopping": True}
        raise ApiError("NOT_FOUND", f"{verb} /_tuneline{path} is nothing that the local service answers.")
