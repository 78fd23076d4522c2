"""`fixie user`."""

import click

from fixieai.cli import output
from fixieai.cli.session import answers
from fixieai.client.client import FixieClient


@click.command(short_help="Displays information on the authenticated user.")
def user() -> None:
    """Displays information on the authenticated user."""
    client = FixieClient()
    about = client.get_current_user()
    name = " ".join(part for part in (about.get("firstName"), about.get("lastName")) if part)
    rows = {"Username": about["username"], "Name": name, "E-mail": about.get("email"), "Platform": client.url}
    for label, value in rows.items():
        if value:
            output.say(f"{label}: {value}")
    if about.get("defaultModel"):
        click.echo(f"Answers by default: {answers.model_line(about['defaultModel'])}")
