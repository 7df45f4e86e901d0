"""The image that every step runs in: one setting, read when the components are compiled and never again."""

import os

IMAGE = os.environ.get("TUNELINE_IMAGE", "tuneline/tuneline-python:0.1.0")
"""Keep "python" in the name, or the local runner of KFP warns. A compiled template is given another image by
`tuneline compile --image` or `tuneline.load(name, image=...)`, without compiling it again."""
