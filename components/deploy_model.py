"""Component: deploy the model to an endpoint, where the request asks for it."""

from typing import NamedTuple

from google_cloud_pipeline_components.types.artifact_types import VertexEndpoint
from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def deploy_model(
    plan: str,
    model_resource_name: str,
    pipeline_root: str,
    pipeline_job_name: str,
    endpoint: dsl.Output[VertexEndpoint],
    checkpoint: str = "",
) -> NamedTuple("Outputs", [("endpoint_resource_name", str)]):
    """Deploys the model to an endpoint of its own if the plan says so; an endpoint bills by the hour.

    Args:
        plan: Output of `plan_tuning`.
        model_resource_name: The model to deploy.
        pipeline_root: Root folder of the pipeline run; feed it the placeholder `dsl.PIPELINE_ROOT_PLACEHOLDER`.
        pipeline_job_name: Name of the pipeline run; feed it the placeholder `dsl.PIPELINE_JOB_NAME_PLACEHOLDER`.
        endpoint: The endpoint, for components that take a google.VertexEndpoint.
        checkpoint: Output of `select_checkpoint`, which a managed tuning serves already.

    Returns:
        endpoint_resource_name: `projects/P/locations/L/endpoints/E`; empty where nothing was to be deployed.
    """
    from tuneline.steps import deploy_model

    return deploy_model.run(
        plan=plan,
        model_resource_name=model_resource_name,
        checkpoint=checkpoint,
        endpoint=endpoint,
        pipeline_root=pipeline_root,
        pipeline_job_name=pipeline_job_name,
        compiled_for="0.1",
    )
