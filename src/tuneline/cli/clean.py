"""`tuneline clean`: what old runs have left behind, shown first and removed when told so."""

from __future__ import annotations

import click

from tuneline.cli.local_options import DURATION
from tuneline.cli.output import FORMAT, dump, table
from tuneline.cli.runs import place_of, place_options


@click.command("clean")
@click.option("--older-than", type=DURATION, required=True, help="Age of what may go: 30d, 12h.")
@click.option("--staging", help="Staging folder, e.g. gs://bucket. [default: TUNELINE_STAGING; gs://tuneline-local]")
@click.option("--endpoints", is_flag=True, help="Endpoints of checkpoints that are not their job's default, too.")
@click.option("--yes", is_flag=True, help="Remove it; without, it is only listed.")
@place_options
@FORMAT
def command(
    older_than: float, staging: str | None, endpoints: bool, yes: bool, form: str, local: bool, **place: object
) -> None:
    """Remove what old runs have left in a staging folder: staged data, configurations, ledgers of jobs.

    What a live job needs stays, and so do the outputs of jobs, of which models are made. Without its ledger a request
    that is made again becomes a new job.
    """
    from tuneline import registry
    from tuneline.errors import Problem, UsageError
    from tuneline.google import settings
    from tuneline.runs import leftovers

    # The staging folder is enough to know the rest by; endpoints are a project's and a region's.
    project, region = place_of(local=local, **place) if local or endpoints else ("", "")
    folder = (staging or settings.staging() or ("gs://tuneline-local" if local else "")).rstrip("/")
    if not folder:
        fix = "name the bucket or folder, e.g. --staging gs://bucket"
        raise UsageError([Problem(where="--staging", what="is not set", fix=fix)])
    found = leftovers.find(folder, older_than_s=older_than)
    served = list(leftovers.checkpoint_endpoints(project, region, older_than_s=older_than)) if endpoints else []
    going = [each for each in found if not each.kept]
    if form == "table":
        table(
            ("what", "days", "bytes", "where", "kept because"),
            [(each.what, f"{each.age_s / 86400:.1f}", f"{each.size:,}", each.uri, each.kept) for each in found],
        )
        table(("endpoint of a checkpoint",), [(each,) for each in served])
    else:
        keys = ("uri", "what", "size", "age_s", "kept")
        dump(form, {"leftovers": [{key: getattr(e, key) for key in keys} for e in found], "endpoints": served})
    if yes:
        for each in going:
            leftovers.remove(each)
        for name in served:
            registry.remove_endpoint(name)
    total = f"{len(going)} leftovers of {sum(each.size for each in going):,} bytes"
    total += f" and {len(served)} endpoints" if endpoints else ""
    click.echo(f"removed {total}" if yes else f"{total} would be removed: --yes", err=True)
