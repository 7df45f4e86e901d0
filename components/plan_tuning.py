"""Component: decide how a request is carried out, or give every reason why it cannot be."""

from typing import NamedTuple

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def plan_tuning(
    project: str,
    model_display_name: str,
    large_model_reference: str,
    dataset_uri: str,
    facts: str,
    pipeline_root: str,
    pipeline_job_name: str,
    location: str = "",
    accelerator_type: str = "GPU",
    train_steps: int = 300,
    learning_rate_multiplier: float = 1.0,
    evaluation_data_uri: str = "",
    evaluation_interval: int = 20,
    enable_early_stopping: bool = True,
    enable_checkpoint_selection: str = "default",
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
    template: str = "tune-large-model",
) -> NamedTuple("Outputs", [("plan", str)]):
    """Turns a request and the facts of its data into a plan: the one gate before anything is spent.

    Every reason against the request is told in one error: parameters, regions, accelerator, encryption, dataset, cost.

    Args:
        project: Project id.
        model_display_name: Display name of the model that will be uploaded.
        large_model_reference: Base model, e.g. `code-bison@002`.
        dataset_uri: Training set, JSON lines, in Cloud Storage.
        facts: Output of `validate_dataset`.
        pipeline_root: Root folder of the pipeline run; feed it the placeholder `dsl.PIPELINE_ROOT_PLACEHOLDER`.
        pipeline_job_name: Name of the pipeline run; feed it the placeholder `dsl.PIPELINE_JOB_NAME_PLACEHOLDER`.
        location: Region in which the model is uploaded and deployed; unset: the region of the run.
        accelerator_type: `GPU` or `TPU`; decides the tuning region and slice.
        train_steps: Tuning steps.
        learning_rate_multiplier: Multiple of the recommended learning rate.
        evaluation_data_uri: Evaluation set of 10 to 250 examples; unset: none.
        evaluation_interval: Tuning steps between two evaluations.
        enable_early_stopping: Stop when the accuracy of predicted tokens no longer improves.
        enable_checkpoint_selection: `true`, `false` or `default`: true where there is an evaluation set.
        tensorboard_resource_id: TensorBoard instance in the region of the run; unset: none.
        encryption_spec_key_name: Customer-managed key, fully qualified; unset: Google's own keys.
        batch_size: Examples a step; 0: what the model and the slice call for.
        learning_rate: Learning rate itself, deprecated; 0: the recommended one times the multiplier.
        max_context_length: Context length of the base model, `8k` or `32k`; unset: by the model's name.
        default_context: Context for every chat example that has none of its own.
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
        template: Template whose rules hold: `tune-large-model` or `tune-large-chat-model`.

    Returns:
        plan: Engine, regions, slice, batch size, steps, epochs and cost, as JSON.
    """
    from tuneline.steps import plan_tuning

    return plan_tuning.run(
        project=project,
        model_display_name=model_display_name,
        large_model_reference=large_model_reference,
        dataset_uri=dataset_uri,
        facts=facts,
        location=location,
        accelerator_type=accelerator_type,
        train_steps=train_steps,
        learning_rate_multiplier=learning_rate_multiplier,
        evaluation_data_uri=evaluation_data_uri,
        evaluation_interval=evaluation_interval,
        enable_early_stopping=enable_early_stopping,
        enable_checkpoint_selection=enable_checkpoint_selection,
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
        template=template,
        pipeline_root=pipeline_root,
        pipeline_job_name=pipeline_job_name,
        compiled_for="0.1",
    )
