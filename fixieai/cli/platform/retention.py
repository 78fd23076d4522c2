"""`fixie platform gc`."""

import pathlib
import time
from typing import Any

import click

from fixieai import errors
from fixieai.cli import output
from fixieai.cli.platform import reaching
from fixieai.client.connection import PlatformConnection

_SECONDS_BETWEEN_LOOKS = 0.2


@click.command(short_help="Removes what is old, and what has ended.")
@click.option("--dry-run", is_flag=True, help="Only show what would be removed.")
@reaching.home_option
def gc(dry_run: bool, home: pathlib.Path | None) -> None:
    """Removes what is old, as the FIXIE_KEEP_..._DAYS of the platform say, and what has ended.

    A platform that runs does the same once a day. Others go on using it meanwhile.
    """
    with reaching.administration(home) as connection:
        done = _run(connection, dry_run)
    rows = [
        (item["what"], str(item["count"]), output.size(item["bytes"]) if item["bytes"] else "")
        for item in done["items"]
        if item["count"]
    ]
    output.table(("what", "would go" if dry_run else "removed", "bytes"), rows)
    if done["problem"]:
        raise errors.ServiceUnavailable(f"Not everything was looked through: {done['problem']}")
    if not rows:
        output.hint("There is nothing to remove.", err=True)


def _run(connection: PlatformConnection, dry_run: bool) -> dict[str, Any]:
    url = f"{connection.url}/api/gc"
    state: dict[str, Any] = connection.post(url, {"dryRun": dry_run})
    while state["running"]:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
        state = connection.get(url)
    return state
