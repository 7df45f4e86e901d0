"""The deprecated `vertexai.tuning.sft`: train, poll, list, look up, cancel."""

import os
import time

import vertexai
from vertexai.tuning import sft

vertexai.init(project=os.environ["GOOGLE_CLOUD_PROJECT"], location="us-central1")
data = "gs://cloud-samples-data/ai-platform/generative_ai/gemini-1_5/text"
job = sft.train(
    source_model="gemini-1.5-pro-002",
    train_dataset=f"{data}/sft_train_data.jsonl",
    validation_dataset=f"{data}/sft_validation_data.jsonl",
    epochs=1,
    adapter_size=4,
    learning_rate_multiplier=1.0,
    tuned_model_display_name="tuned_gemini_1_5_pro",
)
while not job.has_ended:
    time.sleep(0.5)
    job.refresh()
assert job.has_succeeded, job.error
assert job.tuned_model_name.endswith("@1")
assert "/endpoints/" in job.tuned_model_endpoint_name
assert job.experiment.get_backing_tensorboard_resource().display_name == "Tuning jobs"
assert job.resource_name in [each.resource_name for each in sft.SupervisedTuningJob.list()]
other = sft.train(source_model="gemini-2.0-flash-001", train_dataset=f"{data}/sft_train_data.jsonl", epochs=500)
sft.SupervisedTuningJob(other.resource_name).cancel()
while not other.has_ended:
    time.sleep(0.2)
    other.refresh()
assert other.state.name == "JOB_STATE_CANCELLED"
print("done", job.resource_name)
