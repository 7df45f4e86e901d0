"""`tuneline catalog` shows what the catalogue holds, and never hides that something is unknown or retired."""

import json
from datetime import date

import pytest
import yaml
from click.testing import CliRunner

from tuneline import catalog, errors
from tuneline.cli.catalog import command


def run(*arguments: str) -> str:
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_retired_models_are_listed_on_demand_with_what_replaces_them():
    assert "text-bison@002" not in run("models").replace("and ", "")
    line = next(line for line in run("models", "--all").splitlines() if line.startswith("text-bison@002"))
    assert "closed" in line
    assert catalog.model("text-bison@002").replacement in line


def test_an_unknown_price_is_said_to_be_unknown():
    lines = run("slices").splitlines()[1:]
    unknown = [s.name for s in catalog.slices() if s.price is None]
    assert all("unknown" in line for line in lines if line.split()[0] in unknown)


@pytest.mark.parametrize("noun", ["models", "slices", "regions"])
def test_each_list_is_had_as_json_and_as_yaml(noun):
    """The same values in both."""
    listed = json.loads(run(noun, "--format", "json"))
    assert len(listed) > 0
    assert yaml.safe_load(run(noun, "--format", "yaml")) == listed


@pytest.mark.parametrize("noun", ["models", "slices"])
def test_each_entry_is_shown_whole_with_its_sources(noun):
    """By its name, or the closest one is named."""
    for entry in getattr(catalog, noun)():
        said = run(noun, entry.name)
        assert entry.name in said
        assert all(source.title in said for source in entry.source)
        assert json.loads(run(noun, entry.name, "--format", "json"))["name"] == entry.name
    assert "examples a step" in run("models", "code-bison@002")
    assert "GPU 8, TPU 24" in run("models", "code-bison@002")
    missed = CliRunner().invoke(command, [noun, "gemini-2.5-flsh"])
    assert isinstance(missed.exception, errors.UsageError)


def test_an_end_that_is_near_or_may_have_come_is_warned_of_on_standard_error():
    """By today's date: the list itself stays a table."""
    model = catalog.model("gemini-3.1-flash-lite")
    assert model.retirement_ahead(date(2026, 9, 1)) == ""
    assert "from 2027-04-07 on, in 132 days" in model.retirement_ahead(date(2026, 11, 26))
    assert model.retirement_ahead(date(2027, 4, 7)) == ""
    passed = catalog.model("gemini-2.5-flash").retirement_ahead(date(2026, 11, 26))
    assert "which has passed" in passed
    done = CliRunner().invoke(command, ["models"])
    assert "warning: " not in done.stdout
    if catalog.model("gemini-2.5-flash").retirement_ahead(date.today()):
        assert "warning: gemini-2.5-flash" in done.stderr


def test_the_regions_say_what_is_tuned_where():
    """The two that the accelerators mean, and those of the Gemini models that have a list."""
    lines = {line.split()[0]: line for line in run("regions").splitlines() if line}
    assert "gpu-8xa100-80gb (default of GPU)" in lines["us-central1"]
    assert "tpu-v3-64 (default of TPU)" in lines["europe-west4"]
    assert "gemini-3.5-flash" in lines["europe-west4"]
