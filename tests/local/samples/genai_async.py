"""The same client, asynchronously; and the generated client over asynchronous gRPC."""

import asyncio

from google import genai
from google.cloud import aiplatform_v1
from google.genai import types


async def main() -> None:
    client = genai.Client().aio
    job = await client.tunings.tune(
        base_model="gemini-2.5-flash",
        training_dataset=types.TuningDataset(gcs_uri="gs://cloud-samples-data/any.jsonl"),
        config=types.CreateTuningJobConfig(epoch_count=500, labels={"kind": "async"}),
    )
    assert (await client.tunings.get(name=job.name)).name == job.name
    assert job.name in [each.name async for each in await client.tunings.list()]
    generated = aiplatform_v1.GenAiTuningServiceAsyncClient()
    parent = job.name.partition("/tuningJobs/")[0]
    found = [each async for each in await generated.list_tuning_jobs(request={"parent": parent, "filter": WANTED})]
    assert [each.name for each in found] == [job.name]
    await generated.cancel_tuning_job(name=job.name)
    while not (job := await client.tunings.get(name=job.name)).has_ended:
        await asyncio.sleep(0.2)
    assert job.state == "JOB_STATE_CANCELLED"
    print("done", job.name)


WANTED = 'labels.kind="async"'
asyncio.run(main())
