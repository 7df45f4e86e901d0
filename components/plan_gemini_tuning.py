"""Component: decide how a tuning job of Vertex AI will be made, or say every reason why it cannot be."""

from typing import NamedTuple

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def plan_gemini_tuning(
    project: str,
    base_model: str,
    training_dataset_uri: str,
    facts: str,
    pipeline_root: str,
    pipeline_job_name: str,
    location: str = "",
    validation_dataset_uri: str = "",
    epoch_count: int = 0,
    adapter_size: int = 0,
    learning_rate_multiplier: float = 0.0,
    tuned_model_display_name: str = "",
    encryption_spec_key_name: str = "",
    service_account: str = "",
    labels: dict = {},  # noqa: B006 kfp takes defaults from the signature
    export_last_checkpoint_only: bool = False,
    preference_tuning: bool = False,
    beta: float = 0.0,
    checkpoint_id: str = "",
    fallback_locations: str = "",
    enable_checkpoint_selection: str = "default",
    test_data_uri: str = "",
    max_dropped_share: float = 0.1,
    prediction_limit: int = 250,
    predictions_per_minute: int = 0,
    staging_uri: str = "",
    force: bool = False,
    on_cancel: str = "cancel",
    max_cost_usd: float = 0.0,
) -> NamedTuple("Outputs", [("plan", str)]):
    """Turns the request for a TuningJob and the facts of its data into a plan, or fails with every problem at once.

    Args:
        project: Project id.
        base_model: Model to tune, e.g. `gemini-2.5-flash`; or a tuned one to tune further,
            `projects/P/locations/L/models/M`.
        training_dataset_uri: Training set in Cloud Storage: JSON lines of `contents`; other formats are
            converted.
        facts: Output of `validate_dataset`.
        pipeline_root: Root folder of the pipeline run; feed it the placeholder `dsl.PIPELINE_ROOT_PLACEHOLDER`.
        pipeline_job_name: Name of the pipeline run; feed it the placeholder `dsl.PIPELINE_JOB_NAME_PLACEHOLDER`.
        location: Region in which the job runs and the model is kept; unset: the region of the run.
        validation_dataset_uri: Validation set, by which the checkpoint is chosen; unset: none.
        epoch_count: Complete passes over the training set; 0: the service's choice.
        adapter_size: 1, 2, 4, 8, 16 or 32, as the model allows; 0: the service's choice.
        learning_rate_multiplier: Multiple of the recommended learning rate; 0: the service's choice.
        tuned_model_display_name: Display name of the tuned model; unset: the service makes one up.
        encryption_spec_key_name: Customer-managed key in the job's region; unset: Google's own keys.
        service_account: Service account of the tuning job; unset: the tuning service agent.
        labels: Labels for the job; the service copies them to model and endpoints.
        export_last_checkpoint_only: Keep no checkpoint but the last, so that none is chosen.
        preference_tuning: Tune on preferences (DPO) in place of answers.
        beta: Of preference tuning: how closely to stay to the base; 0: the service's choice.
        checkpoint_id: Checkpoint of a tuned base model to start from; unset: its default.
        fallback_locations: Regions to tune in, in this order, where capacity is refused to `location`; commas
            between them.
        enable_checkpoint_selection: `true`, `false` or `default`: true where there is a validation set.
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
        training_dataset_uri=training_dataset_uri,
        location=location,
        validation_dataset_uri=validation_dataset_uri,
        epoch_count=epoch_count,
        adapter_size=adapter_size,
        learning_rate_multiplier=learning_rate_multiplier,
        tuned_model_display_name=tuned_model_display_name,
        encryption_spec_key_name=encryption_spec_key_name,
        service_account=service_account,
        labels=labels,
        export_last_checkpoint_only=export_last_checkpoint_only,
        preference_tuning=preference_tuning,
        beta=beta,
        checkpoint_id=checkpoint_id,
        fallback_locations=fallback_locations,
        enable_checkpoint_selection=enable_checkpoint_selection,
        test_data_uri=test_data_uri,
        max_dropped_share=max_dropped_share,
        prediction_limit=prediction_limit,
        predictions_per_minute=predictions_per_minute,
        staging_uri=staging_uri,
        force=force,
        on_cancel=on_cancel,
        max_cost_usd=max_cost_usd,
        facts=facts,
        template="tune-gemini",
        pipeline_root=pipeline_root,
        pipeline_job_name=pipeline_job_name,
        compiled_for="0.1",
    )
