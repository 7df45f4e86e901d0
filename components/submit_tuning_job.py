"""Component: make the tuning job, or adopt the one that this request already has."""

from typing import NamedTuple

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def submit_tuning_job(
    plan: str,
    staged: str,
    pipeline_root: str,
    pipeline_job_name: str,
) -> NamedTuple("Outputs", [("job", str), ("gcp_resources", str), ("submission", str)]):
    """Submits one tuning job for the request, however often this step is tried, killed or raced.

    Args:
        plan: Output of `plan_tuning`.
        staged: Output of `upload_dataset`.
        pipeline_root: Root folder of the pipeline run; feed it the placeholder `dsl.PIPELINE_ROOT_PLACEHOLDER`.
        pipeline_job_name: Name of the pipeline run; feed it the placeholder `dsl.PIPELINE_JOB_NAME_PLACEHOLDER`.

    Returns:
        job: Resource name of the tuning job.
        gcp_resources: The job as a GcpResources message, which links it from the pipeline's page.
        submission: Fingerprint, attempt, whether it was adopted, and the job's output folder, as JSON.
    """
    from tuneline.steps import submit_tuning_job

    return submit_tuning_job.run(
        plan=plan,
        staged=staged,
        pipeline_root=pipeline_root,
        pipeline_job_name=pipeline_job_name,
        compiled_for="0.1",
    )
