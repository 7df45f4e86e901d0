"""Component: stage the datasets under their content's digest, where the engine reads them."""

from typing import NamedTuple

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def upload_dataset(
    plan: str,
    pipeline_root: str,
    pipeline_job_name: str,
    dataset: dsl.Output[dsl.Dataset],
) -> NamedTuple("Outputs", [("staged", str)]):
    """Copies the datasets to `<staging>/tuneline/data/<sha256>.jsonl`, created once and verified by checksum.

    Args:
        plan: Output of `plan_tuning`.
        pipeline_root: Root folder of the pipeline run; feed it the placeholder `dsl.PIPELINE_ROOT_PLACEHOLDER`.
        pipeline_job_name: Name of the pipeline run; feed it the placeholder `dsl.PIPELINE_JOB_NAME_PLACEHOLDER`.
        dataset: The staged training set.

    Returns:
        staged: URI, SHA-256, CRC32C and number of examples of each staged set, as JSON.
    """
    from tuneline.steps import upload_dataset

    return upload_dataset.run(
        plan=plan,
        dataset=dataset,
        pipeline_root=pipeline_root,
        pipeline_job_name=pipeline_job_name,
        compiled_for="0.1",
    )
