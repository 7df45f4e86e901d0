"""What was released is found by its name: from a checkout, from an installed wheel, with or without kfp."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import tuneline
from tuneline.errors import UsageError
from tuneline.runs import templates

ROOT = Path(__file__).resolve().parents[2]


def test_templates_are_found_by_either_spelling_and_suggested_where_misspelt():
    assert templates.spec("tune_large_model") == templates.spec("tune-large-model")
    with pytest.raises(UsageError, match="did you mean tune-large-model"):
        templates.spec("tune-larg-model")
    with pytest.raises(UsageError, match="one of: tune-gemini, "):
        templates.spec("nothing")


def test_an_image_replaces_that_of_every_step_and_nothing_else():
    plain, given = templates.spec("tune-large-model"), templates.spec("tune-large-model", image="mine/python:2")
    for executor in given["deploymentSpec"]["executors"].values():
        assert executor["container"]["image"] == "mine/python:2"
        executor["container"]["image"] = "tuneline/tuneline-python:0.1.0"
    assert given == plain


def test_a_spec_is_the_callers_own():
    templates.spec("tune-large-model")["root"].clear()
    assert templates.spec("tune-large-model")["root"]


def test_components_and_pipelines_are_importable_by_name():
    from tuneline import components, pipelines
    from tuneline.components import validate_dataset
    from tuneline.pipelines import tune_large_model, tune_large_model_core

    assert validate_dataset.component_spec.name == "validate-dataset"
    assert tune_large_model.component_spec.name == "tune-large-model"
    assert "model" in tune_large_model_core.component_spec.outputs
    assert dir(components) == sorted(name.replace("-", "_") for name in templates.names("components"))
    with pytest.raises(AttributeError, match="it has: deploy_model"):
        _ = components.nothing
    with pytest.raises(ImportError):
        from tuneline.pipelines import nothing  # noqa: F401
    assert pipelines.tune_large_model is tune_large_model
    assert tuneline.load("deploy_model").component_spec.name == "deploy-model"


def test_kfp_is_imported_only_when_a_component_is_asked_for():
    code = (
        "import sys, tuneline, tuneline.components, tuneline.pipelines\n"
        "from tuneline.runs import templates\n"
        "templates.spec('tune-large-model', image='a/python:1')\n"
        "assert 'kfp' not in sys.modules\n"
        "tuneline.components.deploy_model\n"
        "assert 'kfp' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_the_wheel_ships_the_compiled_templates_and_loads_them(tmp_path):
    """The built wheel, unpacked alone: no checkout beside it."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
        shipped = {name for name in archive.namelist() if name.startswith("tuneline/compiled/")}
        assert not [name for name in archive.namelist() if name.startswith(("components/", "pipelines/"))]
    assert len(shipped) == len(list((ROOT / "compiled").rglob("*.yaml")))
    assert (site / "tuneline" / "components.pyi").is_file()
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import tuneline; from tuneline.runs import templates\n"
        "assert tuneline.__file__.startswith(sys.argv[1]), tuneline.__file__\n"
        "assert str(templates.folder()).startswith(sys.argv[1])\n"
        "assert templates.text('tune-large-model') == open(sys.argv[2]).read()\n"
        "from tuneline.pipelines import tune_large_model_core\n"
    )
    file = ROOT / "compiled" / "pipelines" / "tune_large_model.yaml"
    subprocess.run([sys.executable, "-c", code, str(site), str(file)], check=True, cwd=tmp_path)
