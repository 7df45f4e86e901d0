"""`vertexai.language_models`: tuning a code model posts to the template tune-large-model."""

import os

import vertexai
from google.cloud import aiplatform
from vertexai.language_models import CodeGenerationModel

vertexai.init(project=os.environ["GOOGLE_CLOUD_PROJECT"], location="us-central1")
model = CodeGenerationModel.from_pretrained("code-bison@002")
job = model.tune_model(
    training_data="gs://cloud-samples-data/ai-platform/generative_ai/headline_classification.jsonl",
    tuning_job_location="europe-west4",
    tuned_model_location="us-central1",
)
assert job._status is not None
found = aiplatform.PipelineJob.list(location="europe-west4")[0]
parameters = found.gca_resource.runtime_config.parameter_values
assert parameters["large_model_reference"] == "code-bison@002"
assert parameters["location"] == "us-central1"
assert model.list_tuned_model_names() == []
found.cancel()
print("done", found.resource_name)
