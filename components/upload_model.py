"""Component: put the chosen checkpoint into the Model Registry, once."""

from typing import NamedTuple

from google_cloud_pipeline_components.types.artifact_types import VertexModel
from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def upload_model(
    plan: str,
    checkpoint: str,
    pipeline_root: str,
    pipeline_job_name: str,
    model: dsl.Output[VertexModel],
) -> NamedTuple("Outputs", [("model_resource_name", str)]):
    """Uploads the chosen checkpoint as a model in the upload region; the same checkpoint again is the same model.

    Args:
        plan: Output of `plan_tuning`.
        checkpoint: Output of `select_checkpoint`.
        pipeline_root: Root folder of the pipeline run; feed it the placeholder `dsl.PIPELINE_ROOT_PLACEHOLDER`.
        pipeline_job_name: Name of the pipeline run; feed it the placeholder `dsl.PIPELINE_JOB_NAME_PLACEHOLDER`.
        model: The model, for components that take a google.VertexModel.

    Returns:
        model_resource_name: `projects/P/locations/L/models/M`.
    """
    from tuneline.steps import upload_model

    return upload_model.run(
        plan=plan,
        checkpoint=checkpoint,
        model=model,
        pipeline_root=pipeline_root,
        pipeline_job_name=pipeline_job_name,
        compiled_for="0.1",
    )
