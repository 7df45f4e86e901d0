"""Component: decide how a tuned model of the Gemini API will be made, or say every reason why it cannot be."""

from typing import NamedTuple

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def plan_gemini_api_tuning(
    project: str,
    base_model: str,
    dataset_uri: str,
    facts: str,
    pipeline_root: str,
    pipeline_job_name: str,
    validation_dataset_uri: str = "",
    epoch_count: int = 5,
    batch_size: int = 4,
    learning_rate: float = 0.0,
    learning_rate_multiplier: float = 0.0,
    tuned_model_display_name: str = "",
    tuned_model_id: str = "",
    api_key_secret: str = "",
    test_data_uri: str = "",
    max_dropped_share: float = 0.1,
    prediction_limit: int = 250,
    predictions_per_minute: int = 0,
    staging_uri: str = "",
    force: bool = False,
    on_cancel: str = "cancel",
    max_cost_usd: float = 0.0,
) -> NamedTuple("Outputs", [("plan", str)]):
    """Turns the request for a tuned model and the facts of its data into a plan, or fails with every problem at once.

    Args:
        project: Project id of the run.
        base_model: Model to tune, e.g. `gemini-1.5-flash-001-tuning`.
        dataset_uri: Training set in Cloud Storage: JSON lines of `text_input` and `output`; other formats are
            converted.
        facts: Output of `validate_dataset`.
        pipeline_root: Root folder of the pipeline run; feed it the placeholder `dsl.PIPELINE_ROOT_PLACEHOLDER`.
        pipeline_job_name: Name of the pipeline run; feed it the placeholder `dsl.PIPELINE_JOB_NAME_PLACEHOLDER`.
        validation_dataset_uri: Set on which base and tuned model are compared where there is no test set;
            unset: none.
        epoch_count: Complete passes over the training set.
        batch_size: Examples a step.
        learning_rate: Learning rate, e.g. 0.001; 0: the service's choice; not together with a multiplier.
        learning_rate_multiplier: Multiple of the model's own learning rate; 0: unchanged.
        tuned_model_display_name: Display name of the tuned model; unset: the service makes one up.
        tuned_model_id: Id of the tuned model, `tunedModels/ID`; unset: made of the request's content.
        api_key_secret: Secret of Secret Manager with the API key, `projects/P/secrets/S`; never the key
            itself.
        test_data_uri: Test set, never seen by training or selection; the scores are of it; unset: none.
        max_dropped_share: Fail where the service left out more of the training examples than this share.
        prediction_limit: Rows of a set that are predicted at most, spread evenly over it; 0: all.
        predictions_per_minute: Calls a minute while predicting; 0: 300.
        staging_uri: Where staged data and the job ledger live; unset: the bucket of the pipeline root.
        force: Make a new job even where the same request has succeeded before.
        on_cancel: `cancel` or `leave` the tuning job when the run is cancelled.
        max_cost_usd: Refuse what may cost more than this, or what has no known price; 0: no limit.

    Returns:
        plan: Base model, region, hyperparameters, data and cost, as JSON.
    """
    from tuneline.steps import plan_tuning

    return plan_tuning.run(
        project=project,
        base_model=base_model,
        dataset_uri=dataset_uri,
        validation_dataset_uri=validation_dataset_uri,
        epoch_count=epoch_count,
        batch_size=batch_size,
        learning_rate=learning_rate,
        learning_rate_multiplier=learning_rate_multiplier,
        tuned_model_display_name=tuned_model_display_name,
        tuned_model_id=tuned_model_id,
        api_key_secret=api_key_secret,
        test_data_uri=test_data_uri,
        max_dropped_share=max_dropped_share,
        prediction_limit=prediction_limit,
        predictions_per_minute=predictions_per_minute,
        staging_uri=staging_uri,
        force=force,
        on_cancel=on_cancel,
        max_cost_usd=max_cost_usd,
        facts=facts,
        template="tune-gemini-api",
        pipeline_root=pipeline_root,
        pipeline_job_name=pipeline_job_name,
        compiled_for="0.1",
    )
