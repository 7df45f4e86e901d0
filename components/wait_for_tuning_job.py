"""Component: wait for the end of the tuning job, whatever happens on the way."""

from typing import NamedTuple

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def wait_for_tuning_job(
    plan: str,
    job: str,
    submission: str,
    pipeline_root: str,
    pipeline_job_name: str,
    staged: str = "",
) -> NamedTuple("Outputs", [("result", str), ("gcp_resources", str)]):
    """Waits until the job has ended; fails with the job's own error text where it ended badly.

    Args:
        plan: Output of `plan_tuning`.
        job: Resource name of the tuning job.
        submission: Output of `submit_tuning_job`.
        pipeline_root: Root folder of the pipeline run; feed it the placeholder `dsl.PIPELINE_ROOT_PLACEHOLDER`.
        pipeline_job_name: Name of the pipeline run; feed it the placeholder `dsl.PIPELINE_JOB_NAME_PLACEHOLDER`.
        staged: Output of `upload_dataset`; needed where the plan has fallbacks, of which the next is submitted here.

    Returns:
        result: State, steps and URIs of what the job made, as JSON.
        gcp_resources: The job as a GcpResources message, which links it from the pipeline's page.
    """
    from tuneline.steps import wait_for_tuning_job

    return wait_for_tuning_job.run(
        plan=plan,
        job=job,
        submission=submission,
        staged=staged,
        pipeline_root=pipeline_root,
        pipeline_job_name=pipeline_job_name,
        compiled_for="0.1",
    )
