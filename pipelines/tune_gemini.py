"""Template: a JSON lines dataset in, a Gemini model tuned by Vertex AI out, its best checkpoint made the default.

Two pipelines over the same steps. `tune_gemini_core` has outputs, and is what other pipelines call;
`tune_gemini` wraps it in an exit handler that writes the report on every path, and is what is submitted.
(Outputs cannot leave an exit handler, so one pipeline cannot be both.)

What each step reads and writes is in `docs/tune-gemini.md`. Only the wiring is here; what follows the plan is in
`pipelines/wiring.py`.
"""

from kfp import dsl

from components import plan_gemini_tuning as planning
from components import report_run as reporting
from components import validate_dataset as validating
from pipelines.wiring import RUN, Outputs, carry_out, modest


@dsl.pipeline(name="tune-gemini-core")
def tune_gemini_core(
    project: str,
    base_model: str,
    training_dataset_uri: str,
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
) -> Outputs:
    """Tunes a Gemini model by a TuningJob, chooses its best checkpoint and compares it with its base.

    Args:
        project: Project id.
        base_model: Model to tune, e.g. `gemini-2.5-flash`; or a tuned one to tune further,
            `projects/P/locations/L/models/M`.
        training_dataset_uri: Training set in Cloud Storage: JSON lines of `contents`; other formats are
            converted.
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
        model_resource_name: The tuned model, `projects/P/locations/L/models/M`.
        endpoint_resource_name: The endpoint of the chosen checkpoint.
        model: The tuned model as a google.VertexModel.
        metrics: Scores of the tuned model and of its base.
    """
    validated = modest(
        validating.validate_dataset(
            dataset_uri=training_dataset_uri,
            evaluation_data_uri=validation_dataset_uri,
            test_data_uri=test_data_uri,
            large_model_reference=base_model,
            **RUN,
        )
    )
    # The one gate: everything after it may spend, nothing before it does.
    planned = modest(
        planning.plan_gemini_tuning(
            facts=validated.outputs["facts"],
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
            **RUN,
        )
    )
    return carry_out(planned, served=True)


@dsl.pipeline(name="tune-gemini")
def tune_gemini(
    project: str,
    base_model: str,
    training_dataset_uri: str,
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
):
    """Tunes a Gemini model by a TuningJob, chooses and evaluates its best checkpoint, and reports the run.

    Args:
        project: Project id.
        base_model: Model to tune, e.g. `gemini-2.5-flash`; or a tuned one to tune further,
            `projects/P/locations/L/models/M`.
        training_dataset_uri: Training set in Cloud Storage: JSON lines of `contents`; other formats are
            converted.
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
    """
    reported = modest(reporting.report_run(model_display_name=tuned_model_display_name, **RUN))
    with dsl.ExitHandler(exit_task=reported, name="tune-and-report"):
        tune_gemini_core(
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
        )
