"""Generated from compiled/pipelines/ by `make compile`: do not edit."""

from kfp.dsl import PipelineTask
from kfp.dsl.pipeline_channel import PipelineChannel

def tune_gemini(
    *,
    base_model: str | PipelineChannel,
    project: str | PipelineChannel,
    training_dataset_uri: str | PipelineChannel,
    adapter_size: int | PipelineChannel = ...,
    beta: float | PipelineChannel = ...,
    checkpoint_id: str | PipelineChannel = ...,
    enable_checkpoint_selection: str | PipelineChannel = ...,
    encryption_spec_key_name: str | PipelineChannel = ...,
    epoch_count: int | PipelineChannel = ...,
    export_last_checkpoint_only: bool | PipelineChannel = ...,
    fallback_locations: str | PipelineChannel = ...,
    force: bool | PipelineChannel = ...,
    labels: dict[str, object] | PipelineChannel = ...,
    learning_rate_multiplier: float | PipelineChannel = ...,
    location: str | PipelineChannel = ...,
    max_cost_usd: float | PipelineChannel = ...,
    max_dropped_share: float | PipelineChannel = ...,
    on_cancel: str | PipelineChannel = ...,
    prediction_limit: int | PipelineChannel = ...,
    predictions_per_minute: int | PipelineChannel = ...,
    preference_tuning: bool | PipelineChannel = ...,
    service_account: str | PipelineChannel = ...,
    staging_uri: str | PipelineChannel = ...,
    test_data_uri: str | PipelineChannel = ...,
    tuned_model_display_name: str | PipelineChannel = ...,
    validation_dataset_uri: str | PipelineChannel = ...,
) -> PipelineTask:
    """Tunes a Gemini model by a TuningJob, chooses and evaluates its best checkpoint, and reports the run.

    Args:
        base_model: Model to tune, e.g. `gemini-2.5-flash`; or a tuned one to tune further,
            `projects/P/locations/L/models/M`.
        project: Project id.
        training_dataset_uri: Training set in Cloud Storage: JSON lines of `contents`; other formats are
            converted.
        adapter_size: 1, 2, 4, 8, 16 or 32, as the model allows; 0: the service's choice. Default: 0.
        beta: Of preference tuning: how closely to stay to the base; 0: the service's choice. Default: 0.0.
        checkpoint_id: Checkpoint of a tuned base model to start from; unset: its default.
        enable_checkpoint_selection: `true`, `false` or `default`: true where there is a validation set. Default:
            'default'.
        encryption_spec_key_name: Customer-managed key in the job's region; unset: Google's own keys.
        epoch_count: Complete passes over the training set; 0: the service's choice. Default: 0.
        export_last_checkpoint_only: Keep no checkpoint but the last, so that none is chosen. Default: False.
        fallback_locations: Regions to tune in, in this order, where capacity is refused to `location`; commas
            between them.
        force: Make a new job even where the same request has succeeded before. Default: False.
        labels: Labels for the job; the service copies them to model and endpoints.
        learning_rate_multiplier: Multiple of the recommended learning rate; 0: the service's choice. Default:
            0.0.
        location: Region in which the job runs and the model is kept; unset: the region of the run.
        max_cost_usd: Refuse what may cost more than this, or what has no known price; 0: no limit. Default: 0.0.
        max_dropped_share: Fail where the service left out more of the training examples than this share. Default:
            0.1.
        on_cancel: `cancel` or `leave` the tuning job when the run is cancelled. Default: 'cancel'.
        prediction_limit: Rows of a set that are predicted at most, spread evenly over it; 0: all. Default: 250.
        predictions_per_minute: Calls a minute while predicting; 0: 300. Default: 0.
        preference_tuning: Tune on preferences (DPO) in place of answers. Default: False.
        service_account: Service account of the tuning job; unset: the tuning service agent.
        staging_uri: Where staged data and the job ledger live; unset: the bucket of the pipeline root.
        test_data_uri: Test set, never seen by training or selection; the scores are of it; unset: none.
        tuned_model_display_name: Display name of the tuned model; unset: the service makes one up.
        validation_dataset_uri: Validation set, by which the checkpoint is chosen; unset: none.

    Outputs:
    """

def tune_gemini_api(
    *,
    base_model: str | PipelineChannel,
    dataset_uri: str | PipelineChannel,
    project: str | PipelineChannel,
    api_key_secret: str | PipelineChannel = ...,
    batch_size: int | PipelineChannel = ...,
    epoch_count: int | PipelineChannel = ...,
    force: bool | PipelineChannel = ...,
    learning_rate: float | PipelineChannel = ...,
    learning_rate_multiplier: float | PipelineChannel = ...,
    max_cost_usd: float | PipelineChannel = ...,
    max_dropped_share: float | PipelineChannel = ...,
    on_cancel: str | PipelineChannel = ...,
    prediction_limit: int | PipelineChannel = ...,
    predictions_per_minute: int | PipelineChannel = ...,
    staging_uri: str | PipelineChannel = ...,
    test_data_uri: str | PipelineChannel = ...,
    tuned_model_display_name: str | PipelineChannel = ...,
    tuned_model_id: str | PipelineChannel = ...,
    validation_dataset_uri: str | PipelineChannel = ...,
) -> PipelineTask:
    """Tunes a model of the Gemini API on pairs of text, evaluates it, and reports the run.

    Args:
        base_model: Model to tune, e.g. `gemini-1.5-flash-001-tuning`.
        dataset_uri: Training set in Cloud Storage: JSON lines of `text_input` and `output`; other formats are
            converted.
        project: Project id of the run.
        api_key_secret: Secret of Secret Manager with the API key, `projects/P/secrets/S`; never the key itself.
        batch_size: Examples a step. Default: 4.
        epoch_count: Complete passes over the training set. Default: 5.
        force: Make a new job even where the same request has succeeded before. Default: False.
        learning_rate: Learning rate, e.g. 0.001; 0: the service's choice; not together with a multiplier.
            Default: 0.0.
        learning_rate_multiplier: Multiple of the model's own learning rate; 0: unchanged. Default: 0.0.
        max_cost_usd: Refuse what may cost more than this, or what has no known price; 0: no limit. Default: 0.0.
        max_dropped_share: Fail where the service left out more of the training examples than this share. Default:
            0.1.
        on_cancel: `cancel` or `leave` the tuning job when the run is cancelled. Default: 'cancel'.
        prediction_limit: Rows of a set that are predicted at most, spread evenly over it; 0: all. Default: 250.
        predictions_per_minute: Calls a minute while predicting; 0: 300. Default: 0.
        staging_uri: Where staged data and the job ledger live; unset: the bucket of the pipeline root.
        test_data_uri: Test set, never seen by training or selection; the scores are of it; unset: none.
        tuned_model_display_name: Display name of the tuned model; unset: the service makes one up.
        tuned_model_id: Id of the tuned model, `tunedModels/ID`; unset: made of the request's content.
        validation_dataset_uri: Set on which base and tuned model are compared where there is no test set; unset:
            none.

    Outputs:
    """

def tune_gemini_api_core(
    *,
    base_model: str | PipelineChannel,
    dataset_uri: str | PipelineChannel,
    project: str | PipelineChannel,
    api_key_secret: str | PipelineChannel = ...,
    batch_size: int | PipelineChannel = ...,
    epoch_count: int | PipelineChannel = ...,
    force: bool | PipelineChannel = ...,
    learning_rate: float | PipelineChannel = ...,
    learning_rate_multiplier: float | PipelineChannel = ...,
    max_cost_usd: float | PipelineChannel = ...,
    max_dropped_share: float | PipelineChannel = ...,
    on_cancel: str | PipelineChannel = ...,
    prediction_limit: int | PipelineChannel = ...,
    predictions_per_minute: int | PipelineChannel = ...,
    staging_uri: str | PipelineChannel = ...,
    test_data_uri: str | PipelineChannel = ...,
    tuned_model_display_name: str | PipelineChannel = ...,
    tuned_model_id: str | PipelineChannel = ...,
    validation_dataset_uri: str | PipelineChannel = ...,
) -> PipelineTask:
    """Tunes a model of the Gemini API on pairs of text, and compares it with its base.

    Args:
        base_model: Model to tune, e.g. `gemini-1.5-flash-001-tuning`.
        dataset_uri: Training set in Cloud Storage: JSON lines of `text_input` and `output`; other formats are
            converted.
        project: Project id of the run.
        api_key_secret: Secret of Secret Manager with the API key, `projects/P/secrets/S`; never the key itself.
        batch_size: Examples a step. Default: 4.
        epoch_count: Complete passes over the training set. Default: 5.
        force: Make a new job even where the same request has succeeded before. Default: False.
        learning_rate: Learning rate, e.g. 0.001; 0: the service's choice; not together with a multiplier.
            Default: 0.0.
        learning_rate_multiplier: Multiple of the model's own learning rate; 0: unchanged. Default: 0.0.
        max_cost_usd: Refuse what may cost more than this, or what has no known price; 0: no limit. Default: 0.0.
        max_dropped_share: Fail where the service left out more of the training examples than this share. Default:
            0.1.
        on_cancel: `cancel` or `leave` the tuning job when the run is cancelled. Default: 'cancel'.
        prediction_limit: Rows of a set that are predicted at most, spread evenly over it; 0: all. Default: 250.
        predictions_per_minute: Calls a minute while predicting; 0: 300. Default: 0.
        staging_uri: Where staged data and the job ledger live; unset: the bucket of the pipeline root.
        test_data_uri: Test set, never seen by training or selection; the scores are of it; unset: none.
        tuned_model_display_name: Display name of the tuned model; unset: the service makes one up.
        tuned_model_id: Id of the tuned model, `tunedModels/ID`; unset: made of the request's content.
        validation_dataset_uri: Set on which base and tuned model are compared where there is no test set; unset:
            none.

    Outputs:
        endpoint_resource_name: str. Empty: a tuned model answers under its own name.
        model_resource_name: str. The tuned model, `tunedModels/T`.
        metrics: system.Metrics. Scores of the tuned model and of its base.
        model: google.VertexModel. The tuned model as a google.VertexModel.
    """

def tune_gemini_core(
    *,
    base_model: str | PipelineChannel,
    project: str | PipelineChannel,
    training_dataset_uri: str | PipelineChannel,
    adapter_size: int | PipelineChannel = ...,
    beta: float | PipelineChannel = ...,
    checkpoint_id: str | PipelineChannel = ...,
    enable_checkpoint_selection: str | PipelineChannel = ...,
    encryption_spec_key_name: str | PipelineChannel = ...,
    epoch_count: int | PipelineChannel = ...,
    export_last_checkpoint_only: bool | PipelineChannel = ...,
    fallback_locations: str | PipelineChannel = ...,
    force: bool | PipelineChannel = ...,
    labels: dict[str, object] | PipelineChannel = ...,
    learning_rate_multiplier: float | PipelineChannel = ...,
    location: str | PipelineChannel = ...,
    max_cost_usd: float | PipelineChannel = ...,
    max_dropped_share: float | PipelineChannel = ...,
    on_cancel: str | PipelineChannel = ...,
    prediction_limit: int | PipelineChannel = ...,
    predictions_per_minute: int | PipelineChannel = ...,
    preference_tuning: bool | PipelineChannel = ...,
    service_account: str | PipelineChannel = ...,
    staging_uri: str | PipelineChannel = ...,
    test_data_uri: str | PipelineChannel = ...,
    tuned_model_display_name: str | PipelineChannel = ...,
    validation_dataset_uri: str | PipelineChannel = ...,
) -> PipelineTask:
    """Tunes a Gemini model by a TuningJob, chooses its best checkpoint and compares it with its base.

    Args:
        base_model: Model to tune, e.g. `gemini-2.5-flash`; or a tuned one to tune further,
            `projects/P/locations/L/models/M`.
        project: Project id.
        training_dataset_uri: Training set in Cloud Storage: JSON lines of `contents`; other formats are
            converted.
        adapter_size: 1, 2, 4, 8, 16 or 32, as the model allows; 0: the service's choice. Default: 0.
        beta: Of preference tuning: how closely to stay to the base; 0: the service's choice. Default: 0.0.
        checkpoint_id: Checkpoint of a tuned base model to start from; unset: its default.
        enable_checkpoint_selection: `true`, `false` or `default`: true where there is a validation set. Default:
            'default'.
        encryption_spec_key_name: Customer-managed key in the job's region; unset: Google's own keys.
        epoch_count: Complete passes over the training set; 0: the service's choice. Default: 0.
        export_last_checkpoint_only: Keep no checkpoint but the last, so that none is chosen. Default: False.
        fallback_locations: Regions to tune in, in this order, where capacity is refused to `location`; commas
            between them.
        force: Make a new job even where the same request has succeeded before. Default: False.
        labels: Labels for the job; the service copies them to model and endpoints.
        learning_rate_multiplier: Multiple of the recommended learning rate; 0: the service's choice. Default:
            0.0.
        location: Region in which the job runs and the model is kept; unset: the region of the run.
        max_cost_usd: Refuse what may cost more than this, or what has no known price; 0: no limit. Default: 0.0.
        max_dropped_share: Fail where the service left out more of the training examples than this share. Default:
            0.1.
        on_cancel: `cancel` or `leave` the tuning job when the run is cancelled. Default: 'cancel'.
        prediction_limit: Rows of a set that are predicted at most, spread evenly over it; 0: all. Default: 250.
        predictions_per_minute: Calls a minute while predicting; 0: 300. Default: 0.
        preference_tuning: Tune on preferences (DPO) in place of answers. Default: False.
        service_account: Service account of the tuning job; unset: the tuning service agent.
        staging_uri: Where staged data and the job ledger live; unset: the bucket of the pipeline root.
        test_data_uri: Test set, never seen by training or selection; the scores are of it; unset: none.
        tuned_model_display_name: Display name of the tuned model; unset: the service makes one up.
        validation_dataset_uri: Validation set, by which the checkpoint is chosen; unset: none.

    Outputs:
        endpoint_resource_name: str. The endpoint of the chosen checkpoint.
        model_resource_name: str. The tuned model, `projects/P/locations/L/models/M`.
        metrics: system.Metrics. Scores of the tuned model and of its base.
        model: google.VertexModel. The tuned model as a google.VertexModel.
    """

def tune_large_chat_model(
    *,
    dataset_uri: str | PipelineChannel,
    large_model_reference: str | PipelineChannel,
    model_display_name: str | PipelineChannel,
    project: str | PipelineChannel,
    accelerator_type: str | PipelineChannel = ...,
    base_model_uri: str | PipelineChannel = ...,
    batch_size: int | PipelineChannel = ...,
    default_context: str | PipelineChannel = ...,
    deploy_model: bool | PipelineChannel = ...,
    encryption_spec_key_name: str | PipelineChannel = ...,
    engine: str | PipelineChannel = ...,
    fallback_slices: str | PipelineChannel = ...,
    force: bool | PipelineChannel = ...,
    labels: dict[str, object] | PipelineChannel = ...,
    learning_rate: float | PipelineChannel = ...,
    learning_rate_multiplier: float | PipelineChannel = ...,
    location: str | PipelineChannel = ...,
    max_context_length: str | PipelineChannel = ...,
    max_cost_usd: float | PipelineChannel = ...,
    network: str | PipelineChannel = ...,
    on_cancel: str | PipelineChannel = ...,
    provisioning: str | PipelineChannel = ...,
    seed: int | PipelineChannel = ...,
    service_account: str | PipelineChannel = ...,
    serving_image: str | PipelineChannel = ...,
    slice: str | PipelineChannel = ...,
    staging_uri: str | PipelineChannel = ...,
    tensorboard_resource_id: str | PipelineChannel = ...,
    test_data_uri: str | PipelineChannel = ...,
    train_steps: int | PipelineChannel = ...,
    trainer_image: str | PipelineChannel = ...,
) -> PipelineTask:
    """Tunes a chat model on a dataset of conversations, uploads its last checkpoint, and reports the run.

    Args:
        dataset_uri: Training set in Cloud Storage: JSON lines of `messages` and, optionally, `context`.
        large_model_reference: Base model, e.g. `chat-bison@002`.
        model_display_name: Display name of the model that will be uploaded.
        project: Project id.
        accelerator_type: `GPU` or `TPU`; decides the tuning region and slice. Default: 'GPU'.
        base_model_uri: Folder of an open base model to tune in place of a retired one; unset: the catalogue's.
        batch_size: Examples a step; 0: what the model and the slice call for. Default: 0.
        default_context: Context for every example that has none of its own.
        deploy_model: Deploy to an endpoint, which bills by the hour. Default: False.
        encryption_spec_key_name: Customer-managed key, fully qualified; unset: Google's own keys.
        engine: `custom_training`, `vertex_tuning` or `gemini_api`; unset: the one that the base model needs.
        fallback_slices: Slices to try in its place, in order, where capacity is refused; unset: none.
        force: Make a new job even where the same request has succeeded before. Default: False.
        labels: Labels for the job and the model.
        learning_rate: Learning rate itself, deprecated; 0: the recommended one times the multiplier. Default:
            0.0.
        learning_rate_multiplier: Multiple of the recommended learning rate. Default: 1.0.
        location: Region in which the model is uploaded and deployed; unset: the region of the run.
        max_context_length: Context length of the base model, `8k` or `32k`; unset: by the model's name.
        max_cost_usd: Refuse what may cost more than this, or what has no known price; 0: no limit. Default: 0.0.
        network: VPC network of the tuning job; unset: none.
        on_cancel: `cancel` or `leave` the tuning job when the run is cancelled. Default: 'cancel'.
        provisioning: `standard`, `spot`, `flex_start` or `reservation`. Default: 'standard'.
        seed: Seed of the training order and of new weights. Default: 0.
        service_account: Service account of the tuning job; unset: the service agent.
        serving_image: Image that serves the tuned model; unset: this project's own.
        slice: Slice of the catalogue to train on; unset: the accelerator's own.
        staging_uri: Where staged data and the job ledger live; unset: the bucket of the pipeline root.
        tensorboard_resource_id: TensorBoard instance in the region of the run; unset: none.
        test_data_uri: Test set, never seen by training or selection; unset: none.
        train_steps: Tuning steps. Default: 300.
        trainer_image: Image of the trainer; unset: this project's own.

    Outputs:
    """

def tune_large_chat_model_core(
    *,
    dataset_uri: str | PipelineChannel,
    large_model_reference: str | PipelineChannel,
    model_display_name: str | PipelineChannel,
    project: str | PipelineChannel,
    accelerator_type: str | PipelineChannel = ...,
    base_model_uri: str | PipelineChannel = ...,
    batch_size: int | PipelineChannel = ...,
    default_context: str | PipelineChannel = ...,
    deploy_model: bool | PipelineChannel = ...,
    encryption_spec_key_name: str | PipelineChannel = ...,
    engine: str | PipelineChannel = ...,
    fallback_slices: str | PipelineChannel = ...,
    force: bool | PipelineChannel = ...,
    labels: dict[str, object] | PipelineChannel = ...,
    learning_rate: float | PipelineChannel = ...,
    learning_rate_multiplier: float | PipelineChannel = ...,
    location: str | PipelineChannel = ...,
    max_context_length: str | PipelineChannel = ...,
    max_cost_usd: float | PipelineChannel = ...,
    network: str | PipelineChannel = ...,
    on_cancel: str | PipelineChannel = ...,
    provisioning: str | PipelineChannel = ...,
    seed: int | PipelineChannel = ...,
    service_account: str | PipelineChannel = ...,
    serving_image: str | PipelineChannel = ...,
    slice: str | PipelineChannel = ...,
    staging_uri: str | PipelineChannel = ...,
    tensorboard_resource_id: str | PipelineChannel = ...,
    test_data_uri: str | PipelineChannel = ...,
    train_steps: int | PipelineChannel = ...,
    trainer_image: str | PipelineChannel = ...,
) -> PipelineTask:
    """Tunes a chat model on a dataset of conversations, and uploads its last checkpoint.

    Args:
        dataset_uri: Training set in Cloud Storage: JSON lines of `messages` and, optionally, `context`.
        large_model_reference: Base model, e.g. `chat-bison@002`.
        model_display_name: Display name of the model that will be uploaded.
        project: Project id.
        accelerator_type: `GPU` or `TPU`; decides the tuning region and slice. Default: 'GPU'.
        base_model_uri: Folder of an open base model to tune in place of a retired one; unset: the catalogue's.
        batch_size: Examples a step; 0: what the model and the slice call for. Default: 0.
        default_context: Context for every example that has none of its own.
        deploy_model: Deploy to an endpoint, which bills by the hour. Default: False.
        encryption_spec_key_name: Customer-managed key, fully qualified; unset: Google's own keys.
        engine: `custom_training`, `vertex_tuning` or `gemini_api`; unset: the one that the base model needs.
        fallback_slices: Slices to try in its place, in order, where capacity is refused; unset: none.
        force: Make a new job even where the same request has succeeded before. Default: False.
        labels: Labels for the job and the model.
        learning_rate: Learning rate itself, deprecated; 0: the recommended one times the multiplier. Default:
            0.0.
        learning_rate_multiplier: Multiple of the recommended learning rate. Default: 1.0.
        location: Region in which the model is uploaded and deployed; unset: the region of the run.
        max_context_length: Context length of the base model, `8k` or `32k`; unset: by the model's name.
        max_cost_usd: Refuse what may cost more than this, or what has no known price; 0: no limit. Default: 0.0.
        network: VPC network of the tuning job; unset: none.
        on_cancel: `cancel` or `leave` the tuning job when the run is cancelled. Default: 'cancel'.
        provisioning: `standard`, `spot`, `flex_start` or `reservation`. Default: 'standard'.
        seed: Seed of the training order and of new weights. Default: 0.
        service_account: Service account of the tuning job; unset: the service agent.
        serving_image: Image that serves the tuned model; unset: this project's own.
        slice: Slice of the catalogue to train on; unset: the accelerator's own.
        staging_uri: Where staged data and the job ledger live; unset: the bucket of the pipeline root.
        tensorboard_resource_id: TensorBoard instance in the region of the run; unset: none.
        test_data_uri: Test set, never seen by training or selection; unset: none.
        train_steps: Tuning steps. Default: 300.
        trainer_image: Image of the trainer; unset: this project's own.

    Outputs:
        endpoint_resource_name: str. Its endpoint, or empty where it was not deployed.
        model_resource_name: str. The tuned model, `projects/P/locations/L/models/M`.
        metrics: system.Metrics. Scores of the tuned model and of its base; empty without a test set.
        model: google.VertexModel. The tuned model as a google.VertexModel.
    """

def tune_large_model(
    *,
    dataset_uri: str | PipelineChannel,
    large_model_reference: str | PipelineChannel,
    model_display_name: str | PipelineChannel,
    project: str | PipelineChannel,
    accelerator_type: str | PipelineChannel = ...,
    base_model_uri: str | PipelineChannel = ...,
    batch_size: int | PipelineChannel = ...,
    default_context: str | PipelineChannel = ...,
    deploy_model: bool | PipelineChannel = ...,
    enable_checkpoint_selection: str | PipelineChannel = ...,
    enable_early_stopping: bool | PipelineChannel = ...,
    encryption_spec_key_name: str | PipelineChannel = ...,
    engine: str | PipelineChannel = ...,
    evaluation_data_uri: str | PipelineChannel = ...,
    evaluation_interval: int | PipelineChannel = ...,
    fallback_slices: str | PipelineChannel = ...,
    force: bool | PipelineChannel = ...,
    labels: dict[str, object] | PipelineChannel = ...,
    learning_rate: float | PipelineChannel = ...,
    learning_rate_multiplier: float | PipelineChannel = ...,
    location: str | PipelineChannel = ...,
    max_context_length: str | PipelineChannel = ...,
    max_cost_usd: float | PipelineChannel = ...,
    network: str | PipelineChannel = ...,
    on_cancel: str | PipelineChannel = ...,
    provisioning: str | PipelineChannel = ...,
    seed: int | PipelineChannel = ...,
    service_account: str | PipelineChannel = ...,
    serving_image: str | PipelineChannel = ...,
    slice: str | PipelineChannel = ...,
    staging_uri: str | PipelineChannel = ...,
    tensorboard_resource_id: str | PipelineChannel = ...,
    test_data_uri: str | PipelineChannel = ...,
    train_steps: int | PipelineChannel = ...,
    trainer_image: str | PipelineChannel = ...,
) -> PipelineTask:
    """Tunes a text or code model on a dataset, uploads and evaluates its best checkpoint, and reports the run.

    Args:
        dataset_uri: Training set in Cloud Storage: JSON lines of `input_text` and `output_text`.
        large_model_reference: Base model, e.g. `code-bison@002`.
        model_display_name: Display name of the model that will be uploaded.
        project: Project id.
        accelerator_type: `GPU` or `TPU`; decides the tuning region and slice. Default: 'GPU'.
        base_model_uri: Folder of an open base model to tune in place of a retired one; unset: the catalogue's.
        batch_size: Examples a step; 0: what the model and the slice call for. Default: 0.
        default_context: Context for every chat example that has none of its own.
        deploy_model: Deploy to an endpoint, which bills by the hour. Default: False.
        enable_checkpoint_selection: `true`, `false` or `default`: true where there is an evaluation set. Default:
            'default'.
        enable_early_stopping: Stop when the accuracy of predicted tokens no longer improves. Default: True.
        encryption_spec_key_name: Customer-managed key, fully qualified; unset: Google's own keys.
        engine: `custom_training`, `vertex_tuning` or `gemini_api`; unset: the one that the base model needs.
        evaluation_data_uri: Evaluation set of 10 to 250 examples in the training set's format; unset: none.
        evaluation_interval: Tuning steps between two evaluations. Default: 20.
        fallback_slices: Slices to try in its place, in order, where capacity is refused; unset: none.
        force: Make a new job even where the same request has succeeded before. Default: False.
        labels: Labels for the job and the model.
        learning_rate: Learning rate itself, deprecated; 0: the recommended one times the multiplier. Default:
            0.0.
        learning_rate_multiplier: Multiple of the recommended learning rate. Default: 1.0.
        location: Region in which the model is uploaded and deployed; unset: the region of the run.
        max_context_length: Context length of the base model, `8k` or `32k`; unset: by the model's name.
        max_cost_usd: Refuse what may cost more than this, or what has no known price; 0: no limit. Default: 0.0.
        network: VPC network of the tuning job; unset: none.
        on_cancel: `cancel` or `leave` the tuning job when the run is cancelled. Default: 'cancel'.
        provisioning: `standard`, `spot`, `flex_start` or `reservation`. Default: 'standard'.
        seed: Seed of the training order and of new weights. Default: 0.
        service_account: Service account of the tuning job; unset: the service agent.
        serving_image: Image that serves the tuned model; unset: this project's own.
        slice: Slice of the catalogue to train on; unset: the accelerator's own.
        staging_uri: Where staged data and the job ledger live; unset: the bucket of the pipeline root.
        tensorboard_resource_id: TensorBoard instance in the region of the run; unset: none.
        test_data_uri: Test set, never seen by training or selection; unset: none.
        train_steps: Tuning steps. Default: 300.
        trainer_image: Image of the trainer; unset: this project's own.

    Outputs:
    """

def tune_large_model_core(
    *,
    dataset_uri: str | PipelineChannel,
    large_model_reference: str | PipelineChannel,
    model_display_name: str | PipelineChannel,
    project: str | PipelineChannel,
    accelerator_type: str | PipelineChannel = ...,
    base_model_uri: str | PipelineChannel = ...,
    batch_size: int | PipelineChannel = ...,
    default_context: str | PipelineChannel = ...,
    deploy_model: bool | PipelineChannel = ...,
    enable_checkpoint_selection: str | PipelineChannel = ...,
    enable_early_stopping: bool | PipelineChannel = ...,
    encryption_spec_key_name: str | PipelineChannel = ...,
    engine: str | PipelineChannel = ...,
    evaluation_data_uri: str | PipelineChannel = ...,
    evaluation_interval: int | PipelineChannel = ...,
    fallback_slices: str | PipelineChannel = ...,
    force: bool | PipelineChannel = ...,
    labels: dict[str, object] | PipelineChannel = ...,
    learning_rate: float | PipelineChannel = ...,
    learning_rate_multiplier: float | PipelineChannel = ...,
    location: str | PipelineChannel = ...,
    max_context_length: str | PipelineChannel = ...,
    max_cost_usd: float | PipelineChannel = ...,
    network: str | PipelineChannel = ...,
    on_cancel: str | PipelineChannel = ...,
    provisioning: str | PipelineChannel = ...,
    seed: int | PipelineChannel = ...,
    service_account: str | PipelineChannel = ...,
    serving_image: str | PipelineChannel = ...,
    slice: str | PipelineChannel = ...,
    staging_uri: str | PipelineChannel = ...,
    tensorboard_resource_id: str | PipelineChannel = ...,
    test_data_uri: str | PipelineChannel = ...,
    train_steps: int | PipelineChannel = ...,
    trainer_image: str | PipelineChannel = ...,
) -> PipelineTask:
    """Tunes a text or code model on a dataset, and uploads and evaluates its best checkpoint.

    Args:
        dataset_uri: Training set in Cloud Storage: JSON lines of `input_text` and `output_text`.
        large_model_reference: Base model, e.g. `code-bison@002`.
        model_display_name: Display name of the model that will be uploaded.
        project: Project id.
        accelerator_type: `GPU` or `TPU`; decides the tuning region and slice. Default: 'GPU'.
        base_model_uri: Folder of an open base model to tune in place of a retired one; unset: the catalogue's.
        batch_size: Examples a step; 0: what the model and the slice call for. Default: 0.
        default_context: Context for every chat example that has none of its own.
        deploy_model: Deploy to an endpoint, which bills by the hour. Default: False.
        enable_checkpoint_selection: `true`, `false` or `default`: true where there is an evaluation set. Default:
            'default'.
        enable_early_stopping: Stop when the accuracy of predicted tokens no longer improves. Default: True.
        encryption_spec_key_name: Customer-managed key, fully qualified; unset: Google's own keys.
        engine: `custom_training`, `vertex_tuning` or `gemini_api`; unset: the one that the base model needs.
        evaluation_data_uri: Evaluation set of 10 to 250 examples in the training set's format; unset: none.
        evaluation_interval: Tuning steps between two evaluations. Default: 20.
        fallback_slices: Slices to try in its place, in order, where capacity is refused; unset: none.
        force: Make a new job even where the same request has succeeded before. Default: False.
        labels: Labels for the job and the model.
        learning_rate: Learning rate itself, deprecated; 0: the recommended one times the multiplier. Default:
            0.0.
        learning_rate_multiplier: Multiple of the recommended learning rate. Default: 1.0.
        location: Region in which the model is uploaded and deployed; unset: the region of the run.
        max_context_length: Context length of the base model, `8k` or `32k`; unset: by the model's name.
        max_cost_usd: Refuse what may cost more than this, or what has no known price; 0: no limit. Default: 0.0.
        network: VPC network of the tuning job; unset: none.
        on_cancel: `cancel` or `leave` the tuning job when the run is cancelled. Default: 'cancel'.
        provisioning: `standard`, `spot`, `flex_start` or `reservation`. Default: 'standard'.
        seed: Seed of the training order and of new weights. Default: 0.
        service_account: Service account of the tuning job; unset: the service agent.
        serving_image: Image that serves the tuned model; unset: this project's own.
        slice: Slice of the catalogue to train on; unset: the accelerator's own.
        staging_uri: Where staged data and the job ledger live; unset: the bucket of the pipeline root.
        tensorboard_resource_id: TensorBoard instance in the region of the run; unset: none.
        test_data_uri: Test set, never seen by training or selection; unset: none.
        train_steps: Tuning steps. Default: 300.
        trainer_image: Image of the trainer; unset: this project's own.

    Outputs:
        endpoint_resource_name: str. Its endpoint, or empty where it was not deployed.
        model_resource_name: str. The tuned model, `projects/P/locations/L/models/M`.
        metrics: system.Metrics. Scores of the tuned model and of its base.
        model: google.VertexModel. The tuned model as a google.VertexModel.
    """
