"""Component: read every dataset of the request and say all that is wrong with it."""

from typing import NamedTuple

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def validate_dataset(
    dataset_uri: str,
    pipeline_root: str,
    pipeline_job_name: str,
    report: dsl.Output[dsl.HTML],
    metrics: dsl.Output[dsl.Metrics],
    evaluation_data_uri: str = "",
    test_data_uri: str = "",
    large_model_reference: str = "",
    default_context: str = "",
    fail_on: str = "",
) -> NamedTuple("Outputs", [("facts", str)]):
    """Reads the datasets once and reports every problem, with line, column and fix; changes nothing.

    Args:
        dataset_uri: Training set, JSON lines, in Cloud Storage.
        pipeline_root: Root folder of the pipeline run; feed it the placeholder `dsl.PIPELINE_ROOT_PLACEHOLDER`.
        pipeline_job_name: Name of the pipeline run; feed it the placeholder `dsl.PIPELINE_JOB_NAME_PLACEHOLDER`.
        report: Every finding as one HTML page.
        metrics: Counts of examples, errors, duplicates and leaked examples.
        evaluation_data_uri: Evaluation set in the training set's format; unset: none.
        test_data_uri: Test set, never seen by training or selection; unset: none.
        large_model_reference: Base model whose limits apply, e.g. `code-bison@002`; unset: the format's own limits.
        default_context: Context for every chat example that has none of its own.
        fail_on: Least severity at which this step fails: `error` or `warning`; unset: it reports and never fails,
            so that `plan_tuning` can tell the data's problems together with the request's.

    Returns:
        facts: What planning needs to know of the data, as JSON.
    """
    from tuneline.steps import validate_dataset

    return validate_dataset.run(
        dataset_uri=dataset_uri,
        evaluation_data_uri=evaluation_data_uri,
        test_data_uri=test_data_uri,
        large_model_reference=large_model_reference,
        default_context=default_context,
        fail_on=fail_on,
        report=report,
        metrics=metrics,
        pipeline_root=pipeline_root,
        pipeline_job_name=pipeline_job_name,
        compiled_for="0.1",
    )
