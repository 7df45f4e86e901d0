"""Template: a dataset of conversations in, a tuned, uploaded chat model out.

Chat models take no evaluation set, so there is no interval, early stopping or checkpoint selection: the last
checkpoint is the model. It is scored on `test_data_uri` where that is given.

Two pipelines over the same steps. `tune_large_chat_model_core` has outputs, and is what other pipelines call;
`tune_large_chat_model` wraps it in an exit handler that writes the report on every path, and is what is submitted.
(Outputs cannot leave an exit handler, so one pipeline cannot be both.)

What each step reads and writes is in `docs/tune-large-chat-model.md`. Only the wiring is here; what follows the
plan is in `pipelines/wiring.py`.
"""

from kfp import dsl

from components import plan_tuning as planning
from components import report_run as reporting
from components import validate_dataset as validating
from pipelines.wiring import RUN, Outputs, carry_out, modest


@dsl.pipeline(name="tune-large-chat-model-core")
def tune_large_chat_model_core(
    project: str,
    model_display_name: str,
    large_model_reference: str,
    dataset_uri: str,
    location: str = "",
    accelerator_type: str = "GPU",
    train_steps: int = 300,
    learning_rate_multiplier: float = 1.0,
    tensorboard_resource_id: str = "",
    encryption_spec_key_name: str = "",
    batch_size: int = 0,
    learning_rate: float = 0.0,
    max_context_length: str = "",
    default_context: str = "",
    base_model_uri: str = "",
    engine: str = "",
    slice: str = "",
    fallback_slices: str = "",
    provisioning: str = "standard",
    trainer_image: str = "",
    serving_image: str = "",
    deploy_model: bool = False,
    test_data_uri: str = "",
    staging_uri: str = "",
    service_account: str = "",
    network: str = "",
    labels: dict = {},  # noqa: B006 kfp takes defaults from the signature
    seed: int = 0,
    force: bool = False,
    on_cancel: str = "cancel",
    max_cost_usd: float = 0.0,
) -> Outputs:
    """Tunes a chat model on a dataset of conversations, and uploads its last checkpoint.

    Args:
        project: Project id.
        model_display_name: Display name of the model that will be uploaded.
        large_model_reference: Base model, e.g. `chat-bison@002`.
        dataset_uri: Training set in Cloud Storage: JSON lines of `messages` and, optionally, `context`.
        location: Region in which the model is uploaded and deployed; unset: the region of the run.
        accelerator_type: `GPU` or `TPU`; decides the tuning region and slice.
        train_steps: Tuning steps.
        learning_rate_multiplier: Multiple of the recommended learning rate.
        tensorboard_resource_id: TensorBoard instance in the region of the run; unset: none.
        encryption_spec_key_name: Customer-managed key, fully qualified; unset: Google's own keys.
        batch_size: Examples a step; 0: what the model and the slice call for.
        learning_rate: Learning rate itself, deprecated; 0: the recommended one times the multiplier.
        max_context_length: Context length of the base model, `8k` or `32k`; unset: by the model's name.
        default_context: Context for every example that has none of its own.
        base_model_uri: Folder of an open base model to tune in place of a retired one; unset: the catalogue's.
        engine: `custom_training`, `vertex_tuning` or `gemini_api`; unset: the one that the base model needs.
        slice: Slice of the catalogue to train on; unset: the accelerator's own.
        fallback_slices: Slices to try in its place, in order, where capacity is refused; unset: none.
        provisioning: `standard`, `spot`, `flex_start` or `reservation`.
        trainer_image: Image of the trainer; unset: this project's own.
        serving_image: Image that serves the tuned model; unset: this project's own.
        deploy_model: Deploy to an endpoint, which bills by the hour.
        test_data_uri: Test set, never seen by training or selection; unset: none.
        staging_uri: Where staged data and the job ledger live; unset: the bucket of the pipeline root.
        service_account: Service account of the tuning job; unset: the service agent.
        network: VPC network of the tuning job; unset: none.
        labels: Labels for the job and the model.
        seed: Seed of the training order and of new weights.
        force: Make a new job even where the same request has succeeded before.
        on_cancel: `cancel` or `leave` the tuning job when the run is cancelled.
        max_cost_usd: Refuse what may cost more than this, or what has no known price; 0: no limit.

    Returns:
        model_resource_name: The tuned model, `projects/P/locations/L/models/M`.
        endpoint_resource_name: Its endpoint, or empty where it was not deployed.
        model: The tuned model as a google.VertexModel.
        metrics: Scores of the tuned model and of its base; empty without a test set.
    """
    validated = modest(
        validating.validate_dataset(
            dataset_uri=dataset_uri,
            test_data_uri=test_data_uri,
            large_model_reference=large_model_reference,
            default_context=default_context,
            **RUN,
        )
    )
    # The one gate: everything after it may spend, nothing before it does.
    planned = modest(
        planning.plan_tuning(
            template="tune-large-chat-model",
            facts=validated.outputs["facts"],
            project=project,
            model_display_name=model_display_name,
            large_model_reference=large_model_reference,
            dataset_uri=dataset_uri,
            location=location,
            accelerator_type=accelerator_type,
            train_steps=train_steps,
            learning_rate_multiplier=learning_rate_multiplier,
            tensorboard_resource_id=tensorboard_resource_id,
            encryption_spec_key_name=encryption_spec_key_name,
            batch_size=batch_size,
            learning_rate=learning_rate,
            max_context_length=max_context_length,
            default_context=default_context,
            base_model_uri=base_model_uri,
            engine=engine,
            slice=slice,
            fallback_slices=fallback_slices,
            provisioning=provisioning,
            trainer_image=trainer_image,
            serving_image=serving_image,
            deploy_model=deploy_model,
            test_data_uri=test_data_uri,
            staging_uri=staging_uri,
            service_account=service_account,
            network=network,
            labels=labels,
            seed=seed,
            force=force,
            on_cancel=on_cancel,
            max_cost_usd=max_cost_usd,
            **RUN,
        )
    )
    return carry_out(planned)


@dsl.pipeline(name="tune-large-chat-model")
def tune_large_chat_model(
    project: str,
    model_display_name: str,
    large_model_reference: str,
    dataset_uri: str,
    location: str = "",
    accelerator_type: str = "GPU",
    train_steps: int = 300,
    learning_rate_multiplier: float = 1.0,
    tensorboard_resource_id: str = "",
    encryption_spec_key_name: str = "",
    batch_size: int = 0,
    learning_rate: float = 0.0,
    max_context_length: str = "",
    default_context: str = "",
    base_model_uri: str = "",
    engine: str = "",
    slice: str = "",
    fallback_slices: str = "",
    provisioning: str = "standard",
    trainer_image: str = "",
    serving_image: str = "",
    deploy_model: bool = False,
    test_data_uri: str = "",
    staging_uri: str = "",
    service_account: str = "",
    network: str = "",
    labels: dict = {},  # noqa: B006 kfp takes defaults from the signature
    seed: int = 0,
    force: bool = False,
    on_cancel: str = "cancel",
    max_cost_usd: float = 0.0,
):
    """Tunes a chat model on a dataset of conversations, uploads its last checkpoint, and reports the run.

    Args:
        project: Project id.
        model_display_name: Display name of the model that will be uploaded.
        large_model_reference: Base model, e.g. `chat-bison@002`.
        dataset_uri: Training set in Cloud Storage: JSON lines of `messages` and, optionally, `context`.
        location: Region in which the model is uploaded and deployed; unset: the region of the run.
        accelerator_type: `GPU` or `TPU`; decides the tuning region and slice.
        train_steps: Tuning steps.
        learning_rate_multiplier: Multiple of the recommended learning rate.
        tensorboard_resource_id: TensorBoard instance in the region of the run; unset: none.
        encryption_spec_key_name: Customer-managed key, fully qualified; unset: Google's own keys.
        batch_size: Examples a step; 0: what the model and the slice call for.
        learning_rate: Learning rate itself, deprecated; 0: the recommended one times the multiplier.
        max_context_length: Context length of the base model, `8k` or `32k`; unset: by the model's name.
        default_context: Context for every example that has none of its own.
        base_model_uri: Folder of an open base model to tune in place of a retired one; unset: the catalogue's.
        engine: `custom_training`, `vertex_tuning` or `gemini_api`; unset: the one that the base model needs.
        slice: Slice of the catalogue to train on; unset: the accelerator's own.
        fallback_slices: Slices to try in its place, in order, where capacity is refused; unset: none.
        provisioning: `standard`, `spot`, `flex_start` or `reservation`.
        trainer_image: Image of the trainer; unset: this project's own.
        serving_image: Image that serves the tuned model; unset: this project's own.
        deploy_model: Deploy to an endpoint, which bills by the hour.
        test_data_uri: Test set, never seen by training or selection; unset: none.
        staging_uri: Where staged data and the job ledger live; unset: the bucket of the pipeline root.
        service_account: Service account of the tuning job; unset: the service agent.
        network: VPC network of the tuning job; unset: none.
        labels: Labels for the job and the model.
        seed: Seed of the training order and of new weights.
        force: Make a new job even where the same request has succeeded before.
        on_cancel: `cancel` or `leave` the tuning job when the run is cancelled.
        max_cost_usd: Refuse what may cost more than this, or what has no known price; 0: no limit.
    """
    reported = modest(reporting.report_run(model_display_name=model_display_name, **RUN))
    with dsl.ExitHandler(exit_task=reported, name="tune-and-report"):
        tune_large_chat_model_core(
            project=project,
            model_display_name=model_display_name,
            large_model_reference=large_model_reference,
            dataset_uri=dataset_uri,
            location=location,
            accelerator_type=accelerator_type,
            train_steps=train_steps,
            learning_rate_multiplier=learning_rate_multiplier,
            tensorboard_resource_id=tensorboard_resource_id,
            encryption_spec_key_name=encryption_spec_key_name,
            batch_size=batch_size,
            learning_rate=learning_rate,
            max_context_length=max_context_length,
            default_context=default_context,
            base_model_uri=base_model_uri,
            engine=engine,
            slice=slice,
            fallback_slices=fallback_slices,
            provisioning=provisioning,
            trainer_image=trainer_image,
            serving_image=serving_image,
            deploy_model=deploy_model,
            test_data_uri=test_data_uri,
            staging_uri=staging_uri,
            service_account=service_account,
            network=network,
            labels=labels,
            seed=seed,
            force=force,
            on_cancel=on_cancel,
            max_cost_usd=max_cost_usd,
        )
