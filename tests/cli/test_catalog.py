"""`tuneline catalog` shows what the catalogue holds, and never hides that something is unknown or retired."""

import json

import pytest
from click.testing import CliRunner

from tuneline import catalog
from tuneline.cli.catalog import command


def run(*arguments: str) -> str:
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 0, done.output
    return done.output


def test_retired_models_are_listed_on_demand_with_what_replaces_them():
    assert "text-bison@002" not in run("models").replace("and ", "")
    line = next(line for line in run("models", "--all").splitlines() if line.startswith("text-bison@002"))
    assert "closed" in line
    assert catalog.model("text-bison@002").replacement in line


def test_an_unknown_price_is_said_to_be_unknown():
    lines = run("slices").splitlines()[1:]
    unknown = [s.name for s in catalog.slices() if s.price is None]
    assert all("price unknown" in line for line in lines if line.split()[0] in unknown)


@pytest.mark.parametrize("noun", ["models", "slices", "regions"])
def test_each_list_is_had_as_json(noun):
    assert len(json.loads(run(noun, "--format", "json"))) > 0
