"""`tuneline plan`: what a run would do and cost, or every reason why not, before anything exists."""

from __future__ import annotations

import dataclasses

import click

from tuneline.cli.options import run_options
from tuneline.cli.output import FORMAT, dump


@click.command("plan")
@run_options
@FORMAT
def command(form: str, **options: object) -> None:
    """Plan TEMPLATE: engine, regions, slice, steps and epochs, cost; or all that is wrong with the request.

    The datasets are read where they are, and the project is asked for its bucket, weights, TensorBoard, key and quota;
    nothing is uploaded and nothing is made.
    """
    from tuneline import planning
    from tuneline.cli.options import service_of, settle
    from tuneline.steps.plan_tuning import staging
    from tuneline.steps.validate_dataset import facts

    settled = settle(**options)
    if options["local"]:
        service_of(options["data"])
    parameters = settled.parameters
    plan = planning.plan(
        parameters,
        facts(parameters, template=settled.template),
        region=settled.region,
        template=settled.template,
        template_uri=settled.template_uri,
    )
    if not options["local"]:
        # The bucket that the run would use, where the request names none.
        plan = planning.check_project(dataclasses.replace(plan, staging_uri=staging(plan, settled.root)))
    if form == "table":
        click.echo(planning.render(plan))
    else:
        dump(form, plan.to_dict())
