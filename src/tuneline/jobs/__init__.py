"""One life cycle over every engine that tunes: submit or adopt, watch, cancel, read the result.

    engine = jobs.engine("custom_training")
    request = jobs.custom_training.request(plan, staged, run="my-pipeline-run")
    submission = jobs.submit(engine, request)
    job = jobs.wait(engine, submission.name, deadline_s=7 * 86400, submission=submission)
    job.raise_unless_succeeded()
    engine.result(job.name, output_uri=submission.output_uri)

A request becomes one job, however often and by how many it is submitted: `docs/exactly-once.md`.
"""

from tuneline.jobs import custom_training, gemini_api, vertex_tuning
from tuneline.jobs.engines import Claim, Engine, Maker, Request, engine
from tuneline.jobs.fingerprint import fingerprint
from tuneline.jobs.interruption import Stopped, stoppable
from tuneline.jobs.model import Job, JobState
from tuneline.jobs.predictions import Prediction
from tuneline.jobs.resource_links import gcp_resources
from tuneline.jobs.submission import Submission, settings_from_environment, submit
from tuneline.jobs.terms import Settings
from tuneline.jobs.waiting import Pace, wait
from tuneline.jobs.watching import watch

__all__ = [
    "Claim",
    "Engine",
    "Job",
    "JobState",
    "Maker",
    "Pace",
    "Prediction",
    "Request",
    "Settings",
    "Stopped",
    "Submission",
    "custom_training",
    "engine",
    "fingerprint",
    "gcp_resources",
    "gemini_api",
    "settings_from_environment",
    "stoppable",
    "submit",
    "vertex_tuning",
    "wait",
    "watch",
]
