"""What the documents show runs, and what they list is complete."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tuneline.runs import templates

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_example_of_composing_compiles(tmp_path):
    code = re.findall(r"```python\n(.*?)```", (DOCS / "composing.md").read_text(), re.DOTALL)[0]
    (tmp_path / "example.py").write_text(code)
    subprocess.run([sys.executable, "example.py"], check=True, cwd=tmp_path, capture_output=True)
    spec = yaml.safe_load((tmp_path / "tune_and_announce.yaml").read_text())
    assert {"tune-large-model-core", "announce"} == set(spec["root"]["dag"]["tasks"])


@pytest.mark.parametrize("name", ["tune-large-model", "tune-large-chat-model", "tune-gemini", "tune-gemini-api"])
def test_every_parameter_and_task_of_the_template_is_listed(name):
    text = (DOCS / f"{name}.md").read_text()
    spec = templates.spec(name)
    missing = [name for name in spec["root"]["inputDefinitions"]["parameters"] if f"`{name}`" not in text]
    assert not missing
    tasks = {label.removeprefix("exec-") for label in spec["deploymentSpec"]["executors"]}
    assert not [task for task in tasks if f"`{task}`" not in text]


def test_the_documents_link_to_files_that_are_there():
    pages = ("tune-large-model", "tune-large-chat-model", "tune-gemini", "tune-gemini-api", "composing", "checkpoints")
    for name in pages:
        links = re.findall(r"\]\(([\w-]+\.md)\)", (DOCS / f"{name}.md").read_text())
        assert not [link for link in links if not (DOCS / link).is_file()]
