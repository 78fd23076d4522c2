"""`fixie auth` and `fixie user`."""

import os
import webbrowser

import click

from fixieai import constants, credentials, errors
from fixieai.cli import output
from fixieai.cli.auth.code_flow import CodeFlow, Listener
from fixieai.cli.auth.user_config import UserConfig
from fixieai.cli.session import answers
from fixieai.client.client import FixieClient
from fixieai.client.connection import PlatformConnection


@click.command(short_help="Authorizes `fixie` to access Fixie platform.")
@click.option("--force", is_flag=True, help="Sign in anew, also with a key that is good.")
def auth(force: bool) -> None:
    """Signs in at the platform, in a browser, and keeps the API key it gives in the config file."""
    url = constants.FIXIE_API_URL
    username = None if force else _present_user(url)
    if username is not None:
        output.say(f"You are signed in as {username} at {url}. To sign in anew: fixie auth --force")
        return
    with Listener() as listener:
        flow = CodeFlow(url, listener.url)
        flow.check()
        click.echo(f"Sign in on this page, in a browser on this machine:\n{flow.page}")
        if output.is_terminal():
            webbrowser.open(flow.page)
        key = listener.wait(flow)
    config = UserConfig.load()
    config.set_key(url, key)
    path = config.save()
    connection = PlatformConnection(key, api_url=url)
    output.say(f"You are signed in as {connection.get_current_username()} at {url}. The key is in {path}.")
    if os.environ.get("FIXIE_API_KEY"):
        output.hint("FIXIE_API_KEY is set, and comes before it: unset it to use the new key.", err=True)


def _present_user(url: str) -> str | None:
    """Whose the key of this machine is; None without one that is good."""
    key = credentials.find_api_key(url)
    if key is None:
        return None
    try:
        return PlatformConnection(key, api_url=url).get_current_username()
    except errors.Unauthenticated:
        return None


@click.command(short_help="Displays information on the authenticated user.")
def user() -> None:
    """Displays information on the authenticated user."""
    client = FixieClient()
    about = client.get_current_user()
    name = " ".join(part for part in (about.get("firstName"), about.get("lastName")) if part)
    rows = {
        "Username": about["username"],
        "Name": name,
        "E-mail": about.get("email"),
        "Role": "administrator" if about.get("administrator") else "",
        "Platform": client.url,
    }
    for label, value in rows.items():
        if value:
            output.say(f"{label}: {value}")
    if about.get("defaultModel"):
        click.echo(f"Answers by default: {answers.model_line(about['defaultModel'])}")
