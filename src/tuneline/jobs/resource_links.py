"""The `gcp_resources` string: how a step tells the Vertex AI page, and its own next try, which job stands behind it."""

from __future__ import annotations

import json

from tuneline.google import hosts

# Source: google_cloud_pipeline_components.proto.gcp_resources_pb2 and its list of resource types.
_TYPES = {
    "customJobs": "CustomJob",
    "tuningJobs": "TuningJob",
    "endpoints": "VertexEndpoint",
    "models": "VertexModel",
}


def gcp_resources(name: str) -> str:
    """The `GcpResources` proto as JSON text, naming one resource by its full address."""
    collection = name.split("/")[-2] if name.count("/") else ""
    developer = collection == "tunedModels"
    host = hosts.base_url("generativelanguage" if developer else "aiplatform", hosts.location_of(f"/{name}"))
    resource = {
        "resourceType": _TYPES.get(collection, collection),
        "resourceUri": f"{host}/{'v1beta' if developer else 'v1'}/{name}",
    }
    return json.dumps({"resources": [resource]})
