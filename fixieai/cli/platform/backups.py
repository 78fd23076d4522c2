"""`fixie platform backup`, `restore` and `check`."""

import asyncio
import os
import pathlib

import click

from fixieai import credentials, errors
from fixieai.cli import output
from fixieai.cli.platform import reaching
from fixieai.platform import backups, checks, restoring, settings
from fixieai.platform.settings import Settings

_ENOUGH = 20


def _settings(home: pathlib.Path | None) -> Settings:
    return settings.from_environment(os.environ, home or credentials.home_path())


@click.command(short_help="Writes all that the platform keeps to one file.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=pathlib.Path))
@click.option("--without-blobs", is_flag=True, help="Leave out the bytes of attachments and packages.")
@reaching.home_option
def backup(file: pathlib.Path, without_blobs: bool, home: pathlib.Path | None) -> None:
    """Writes all that the platform keeps to a new FILE, also while it is in use.

    FILE holds the platform's keys: keep it where nobody else can read it.
    """
    if not file.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {file.parent}", param_hint="'FILE'")
    summary = asyncio.run(backups.back_up(_settings(home), file, with_blobs=not without_blobs))
    _describe(summary, f"{file} ({output.size(file.stat().st_size)})")
    if os.environ.get("FIXIE_SECRET_KEY"):
        output.hint("FIXIE_SECRET_KEY is not in it: keep that, too.", err=True)
    for each in summary.lost[:_ENOUGH]:
        output.say(f"Missing, and so not in it: {each}", err=True)
    if summary.lost:
        raise errors.ConfigurationError(f"{len(summary.lost)} files are missing. See `fixie platform check`.")


@click.command(short_help="Makes a new home of a backup.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=pathlib.Path))
@click.option(
    "--home",
    required=True,
    type=click.Path(file_okay=False, path_type=pathlib.Path),
    help="The folder to make: new, or empty.",
)
def restore(file: pathlib.Path, home: pathlib.Path) -> None:
    """Makes a new home of FILE, which `fixie platform backup` wrote: whole, or not at all."""
    summary = asyncio.run(restoring.restore(_settings(home), file))
    _describe(summary, str(home))
    if not summary.has_blobs:
        output.hint("The bytes of attachments and packages were left out: put them back.", err=True)
    output.hint(f"`fixie platform check --home {home}` says whether everything is there.", err=True)


def _describe(summary: backups.Summary, where: str) -> None:
    blobs = f"{summary.blobs['embeds']} attachments, {summary.blobs['packages']} packages"
    click.echo(
        f"{where}: database of schema {summary.schema}, {blobs}, {', '.join(summary.keys) or 'no keys'}"
    )


@click.command(short_help="Looks whether everything is there and whole.")
@click.option("--quick", is_flag=True, help="Do not read the bytes of attachments and packages.")
@reaching.home_option
def check(quick: bool, home: pathlib.Path | None) -> None:
    """Looks whether everything that the platform keeps is there and whole, also while it is in use.

    Prints what is not, and ends with exit code 1 then. Changes nothing.
    """
    report = asyncio.run(checks.check(_settings(home), reads_bytes=not quick))
    for finding in report.findings:
        output.say(finding)
    for note in report.notes:
        output.hint(note, err=True)
    if report.findings:
        raise errors.ConfigurationError(
            f"{len(report.findings)} findings. Keep a copy of everything before you repair it."
        )
    output.hint("All is well.", err=True)
