"""Component: choose the checkpoint to keep, by its evaluation, and say why."""

from typing import NamedTuple

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def select_checkpoint(
    plan: str,
    result: str,
    pipeline_root: str,
    pipeline_job_name: str,
    metrics: dsl.Output[dsl.Metrics],
    curves: dsl.Output[dsl.HTML],
) -> NamedTuple("Outputs", [("checkpoint", str)]):
    """Chooses the earliest checkpoint that the evaluation set cannot tell from the best, or the last one.

    Args:
        plan: Output of `plan_tuning`.
        result: Output of `wait_for_tuning_job`.
        pipeline_root: Root folder of the pipeline run; feed it the placeholder `dsl.PIPELINE_ROOT_PLACEHOLDER`.
        pipeline_job_name: Name of the pipeline run; feed it the placeholder `dsl.PIPELINE_JOB_NAME_PLACEHOLDER`.
        metrics: Step, loss and accuracy of the chosen checkpoint and of the untuned base.
        curves: Loss and accuracy of training and evaluation as one HTML page.

    Returns:
        checkpoint: Step, URI and reason of the chosen checkpoint, as JSON.
    """
    from tuneline.steps import select_checkpoint

    return select_checkpoint.run(
        plan=plan,
        result=result,
        metrics=metrics,
        curves=curves,
        pipeline_root=pipeline_root,
        pipeline_job_name=pipeline_job_name,
        compiled_for="0.1",
    )
