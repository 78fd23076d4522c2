"""`fixie platform migrate` and `fixie platform copy`."""

import os
import pathlib

import click

from fixieai import credentials
from fixieai.cli import output
from fixieai.cli.platform import reaching
from fixieai.platform import moving, settings
from fixieai.platform.moving import Moved


@click.command(short_help="Brings the database to the schema of this version.")
@reaching.home_option
def migrate(home: pathlib.Path | None) -> None:
    """Brings the database to the schema of this version, and says what it did.

    A platform does that by itself when it starts. Where several platforms share a database, this does it
    before the first of the new version starts; those of the version before go on meanwhile.
    """
    change = moving.migrate(settings.from_environment(os.environ, home or credentials.home_path()))
    if change.before == change.after:
        click.echo(f"The schema is {change.after} already: nothing to do.")
    else:
        click.echo(f"The schema was {change.before} and is {change.after} now.")


@click.command(short_help="Copies the home's database to Postgres.")
@click.option("--to", "target", required=True, metavar="URL", help="postgresql://user:password@host/database")
@reaching.home_option
def copy(target: str, home: pathlib.Path | None) -> None:
    """Copies all that the home keeps in its database into an empty one of a Postgres server.

    No platform may use the home meanwhile. Every row is counted; all of them are copied, or none.
    """
    chosen = settings.from_environment(os.environ, home or credentials.home_path())
    moved = moving.copy(chosen, target, lambda table, rows: click.echo(f"{rows:>10,}  {table}"))
    click.echo(f"{sum(moved.rows.values()):>10,}  rows in all, and {moved.signing_keys} signing keys")
    for line in _what_is_left(moved, chosen.home):
        output.hint(line, err=True)


def _what_is_left(moved: Moved, home: pathlib.Path) -> list[str]:
    lines = ["Set FIXIE_DATABASE_URL to that database wherever a platform is to use it."]
    if moved.secret_file is not None:
        lines.append(f"Set FIXIE_SECRET_KEY there to what is in {moved.secret_file}.")
    if moved.blobs is not None:
        lines.append(
            f"Attachments and packages are still in {moved.blobs}: copy that folder to where all of them "
            "reach it, and name it with FIXIE_BLOBS_URL."
        )
    return [*lines, f"{home} is as it was. What happens there from now on is not copied."]
