"""Component: score the tuned model beside its untuned base on rows that training never saw."""

from typing import NamedTuple

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def evaluate_model(
    plan: str,
    result: str,
    checkpoint: str,
    model_resource_name: str,
    pipeline_root: str,
    pipeline_job_name: str,
    metrics: dsl.Output[dsl.Metrics],
) -> NamedTuple("Outputs", [("evaluation", str)]):
    """Scores base and tuned model on the same rows and says whether they differ by more than chance.

    Args:
        plan: Output of `plan_tuning`.
        result: Output of `wait_for_tuning_job`.
        checkpoint: Output of `select_checkpoint`.
        model_resource_name: The model that is evaluated; the scores are of its checkpoint.
        pipeline_root: Root folder of the pipeline run; feed it the placeholder `dsl.PIPELINE_ROOT_PLACEHOLDER`.
        pipeline_job_name: Name of the pipeline run; feed it the placeholder `dsl.PIPELINE_JOB_NAME_PLACEHOLDER`.
        metrics: Scores of base and tuned model, with the interval of their difference.

    Returns:
        evaluation: Scores, paired comparison and verdict, as JSON.
    """
    from tuneline.steps import evaluate_model

    return evaluate_model.run(
        plan=plan,
        result=result,
        checkpoint=checkpoint,
        model_resource_name=model_resource_name,
        metrics=metrics,
        pipeline_root=pipeline_root,
        pipeline_job_name=pipeline_job_name,
        compiled_for="0.1",
    )
