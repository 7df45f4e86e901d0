"""Component: write the report of a run, whether it went well or not."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def report_run(
    status: dsl.PipelineTaskFinalStatus,
    model_display_name: str,
    pipeline_root: str,
    pipeline_job_name: str,
    report: dsl.Output[dsl.HTML],
):
    """Writes what the run did, chose and scored, or why it failed, as one page and as JSON.

    The exit task of a pipeline: it runs on every path, and reads its parameters and the run folder alone.

    Args:
        status: How the steps ended; the pipeline service fills it in.
        model_display_name: Display name of the model, for the report's title.
        pipeline_root: Root folder of the pipeline run; feed it the placeholder `dsl.PIPELINE_ROOT_PLACEHOLDER`.
        pipeline_job_name: Name of the pipeline run; feed it the placeholder `dsl.PIPELINE_JOB_NAME_PLACEHOLDER`.
        report: The report as one self-contained HTML page.
    """
    from tuneline.steps import report_run

    report_run.run(
        status=status,
        model_display_name=model_display_name,
        report=report,
        pipeline_root=pipeline_root,
        pipeline_job_name=pipeline_job_name,
        compiled_for="0.1",
    )
