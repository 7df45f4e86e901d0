"""A run as one HTML page and as JSON, made from the run folder and nothing else.

data = reports.build("gs://bucket/root/JOB/run")
page = reports.render(data)
"""

from tuneline.reports.build import build
from tuneline.reports.page import render

__all__ = ["build", "render"]
