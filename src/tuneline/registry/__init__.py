"""The Model Registry: models uploaded once, listed by base model, and deployed to endpoints of their own."""

from tuneline.registry.endpoints import Deployment, Endpoint, deploy
from tuneline.registry.endpoints import get as get_endpoint
from tuneline.registry.endpoints import remove as remove_endpoint
from tuneline.registry.models import BASE_MODEL_LABEL, Model, Upload, address, get, list_tuned, model_id, upload
from tuneline.registry.versions import upload_version

__all__ = [
    "BASE_MODEL_LABEL",
    "Deployment",
    "Endpoint",
    "Model",
    "Upload",
    "address",
    "deploy",
    "get",
    "get_endpoint",
    "list_tuned",
    "model_id",
    "remove_endpoint",
    "upload",
    "upload_version",
]
