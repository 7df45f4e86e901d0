"""Template: pairs of text in, a tuned model of the Gemini API (the developer API) out.

Two pipelines over the same steps. `tune_gemini_api_core` has outputs, and is what other pipelines call;
`tune_gemini_api` wraps it in an exit handler that writes the report on every path, and is what is submitted.
(Outputs cannot leave an exit handler, so one pipeline cannot be both.)

What each step reads and writes is in `docs/tune-gemini-api.md`. Only the wiring is here; what follows the plan is in
`pipelines/wiring.py`.
"""

from kfp import dsl

from components import plan_gemini_api_tuning as planning
from components import report_run as reporting
from components import validate_dataset as validating
from pipelines.wiring import RUN, Outputs, carry_out, modest


@dsl.pipeline(name="tune-gemini-api-core")
def tune_gemini_api_core(
    project: str,
    base_model: str,
    dataset_uri: str,
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
) -> Outputs:
    """Tunes a model of the Gemini API on pairs of text, and compares it with its base.

    Args:
        project: Project id of the run.
        base_model: Model to tune, e.g. `gemini-1.5-flash-001-tuning`.
        dataset_uri: Training set in Cloud Storage: JSON lines of `text_input` and `output`; other formats are
            converted.
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
        model_resource_name: The tuned model, `tunedModels/T`.
        endpoint_resource_name: Empty: a tuned model answers under its own name.
        model: The tuned model as a google.VertexModel.
        metrics: Scores of the tuned model and of its base.
    """
    validated = modest(
        validating.validate_dataset(
            dataset_uri=dataset_uri,
            evaluation_data_uri=validation_dataset_uri,
            test_data_uri=test_data_uri,
            large_model_reference=base_model,
            **RUN,
        )
    )
    # The one gate: everything after it may spend, nothing before it does.
    planned = modest(
        planning.plan_gemini_api_tuning(
            facts=validated.outputs["facts"],
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
            **RUN,
        )
    )
    return carry_out(planned, served=True)


@dsl.pipeline(name="tune-gemini-api")
def tune_gemini_api(
    project: str,
    base_model: str,
    dataset_uri: str,
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
):
    """Tunes a model of the Gemini API on pairs of text, evaluates it, and reports the run.

    Args:
        project: Project id of the run.
        base_model: Model to tune, e.g. `gemini-1.5-flash-001-tuning`.
        dataset_uri: Training set in Cloud Storage: JSON lines of `text_input` and `output`; other formats are
            converted.
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
    """
    reported = modest(reporting.report_run(model_display_name=tuned_model_display_name, **RUN))
    with dsl.ExitHandler(exit_task=reported, name="tune-and-report"):
        tune_gemini_api_core(
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
        )
