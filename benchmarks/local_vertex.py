"""How fast the local Vertex AI is: ready, idle memory, REST and gRPC calls a second.

    python benchmarks/local_vertex.py [--json]

Each figure is the best of five (starts) or of three (calls): what the machine can do, not what it does beside others.
"""

from __future__ import annotations

import argparse
import http.client
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tuneline.testing import LocalVertex

PATH = "projects/bench/locations/us-central1"
CALLS = 2000


def ready(service: LocalVertex) -> float:
    """Seconds from the command to the announcement."""
    service.stop()
    began = time.perf_counter()
    service.start()
    return time.perf_counter() - began


def memory_mib(service: LocalVertex) -> float:
    """Resident memory."""
    assert service.process is not None
    lines = Path(f"/proc/{service.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def rest_calls(service: LocalVertex) -> float:
    """List calls a second on one HTTP/1.1 connection; the list has ten resources."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port)
    began = time.perf_counter()
    for _ in range(CALLS):
        connection.request("GET", f"/v1/{PATH}/endpoints")
        answer = connection.getresponse()
        assert answer.status == 200
        answer.read()
    connection.close()
    return CALLS / (time.perf_counter() - began)


def grpc_calls(service: LocalVertex) -> float:
    """The same over gRPC on one insecure channel, the cheapest client there is."""
    import grpc

    from tuneline.local.definition import load

    v1 = "google.cloud.aiplatform.v1."
    request = load().new(v1 + "ListEndpointsRequest", parent=PATH)
    answer = load().message_class(v1 + "ListEndpointsResponse")
    with grpc.insecure_channel(f"127.0.0.1:{service.port}") as channel:
        call = channel.unary_unary(
            f"/{v1}EndpointService/ListEndpoints",
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )
        assert len(call(request).endpoints) == 10
        began = time.perf_counter()
        for _ in range(CALLS):
            call(request)
        return CALLS / (time.perf_counter() - began)


def best(of: int, measure: Callable[[LocalVertex], float], service: LocalVertex, pick: Any = max) -> float:
    """The best of several measurements."""
    return float(pick(measure(service) for _ in range(of)))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        service = LocalVertex(Path(folder) / "data").start()
        try:
            figures = {"ready_s": best(5, ready, service, min), "idle_mib": memory_mib(service)}
            for number in range(10):
                service.request("POST", f"/v1/{PATH}/endpoints", {"displayName": f"e{number}"})
            figures["rest_lists_per_s"] = best(3, rest_calls, service)
            figures["grpc_lists_per_s"] = best(3, grpc_calls, service)
            figures["after_calls_mib"] = memory_mib(service)
        finally:
            service.stop()
    for name, value in figures.items():
        print(f"{name:<18} {value:,.2f}") if not options.json else None
    if options.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
