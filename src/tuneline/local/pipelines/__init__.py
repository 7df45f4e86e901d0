"""A runner for compiled pipelines (PipelineSpec): a process a job, a process a task, every change on disk."""

from tuneline.local.pipelines.check import check
from tuneline.local.pipelines.job import DRIVER, Stamp, amend, cancel, fail, has_ended, read, stamp, start

__all__ = ["DRIVER", "Stamp", "amend", "cancel", "check", "fail", "has_ended", "read", "stamp", "start"]
