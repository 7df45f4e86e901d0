"""A tuning job's life with google-genai, as a notebook has it: nothing but the environment says where the cloud is."""

import time

from google import genai
from google.genai import types

client = genai.Client(http_options=types.HttpOptions(api_version="v1beta1"))
data = "gs://cloud-samples-data/ai-platform/generative_ai/gemini/text"
job = client.tunings.tune(
    base_model="gemini-3.5-flash",
    training_dataset=types.TuningDataset(gcs_uri=f"{data}/sft_train_data.jsonl"),
    config=types.CreateTuningJobConfig(
        epoch_count=2,
        tuned_model_display_name="From a sample",
        validation_dataset=types.TuningDataset(gcs_uri=f"{data}/sft_validation_data.jsonl"),
        evaluation_config=types.EvaluationConfig(
            metrics=[types.Metric(name="FLUENCY", prompt_template="Is it fluent? {prediction}")],
            output_config=types.OutputConfig(
                gcs_destination=types.GcsDestination(output_uri_prefix="gs://tuneline-local/evaluations")
            ),
        ),
    ),
)
while job.state in {"JOB_STATE_PENDING", "JOB_STATE_RUNNING"}:
    time.sleep(0.5)
    job = client.tunings.get(name=job.name)
assert job.state == "JOB_STATE_SUCCEEDED", job.error
assert "stands in for gemini-3.5-flash" in job.description
assert "rows of tuneline's own stand in for it" in job.description
assert job.tuned_model.model.endswith("@1")
assert "/contexts/tuning-experiment-" in job.experiment
assert job.name in [each.name for each in client.tunings.list()]

stable = genai.Client(http_options=types.HttpOptions(api_version="v1"))
job = stable.tunings.get(name=job.name)
assert [(each.checkpoint_id, each.epoch) for each in job.tuned_model.checkpoints] == [("1", 1), ("2", 2)]
model = stable.models.get(model=job.tuned_model.model)
assert (model.default_checkpoint_id, len(model.checkpoints)) == ("2", 2)
for endpoint in (job.tuned_model.endpoint, *(each.endpoint for each in job.tuned_model.checkpoints)):
    assert stable.models.generate_content(model=endpoint, contents="Why is the sky blue?").candidates
model = stable.models.update(model=model.name, config=types.UpdateModelConfig(default_checkpoint_id="1"))
assert model.default_checkpoint_id == "1"

other = client.tunings.tune(
    base_model="gemini-2.5-flash",
    training_dataset=types.TuningDataset(gcs_uri=f"{data}/sft_train_data.jsonl"),
    config=types.CreateTuningJobConfig(epoch_count=500),
)
stable.tunings.cancel(name=other.name)
while not (other := stable.tunings.get(name=other.name)).has_ended:
    time.sleep(0.2)
assert other.state == "JOB_STATE_CANCELLED"
print("done", job.name)
