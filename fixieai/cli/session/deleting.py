"""`fixie session delete`."""

import click

from fixieai import errors
from fixieai.cli import exits, output
from fixieai.client.client import FixieClient


@click.command(short_help="Deletes sessions.")
@click.argument("session_ids", nargs=-1, required=True, metavar="SESSION_ID...")
@click.option("--force", "-f", is_flag=True, help="Do not ask.")
def delete(session_ids: tuple[str, ...], force: bool) -> int:
    """Deletes sessions, with their messages and attachments. A query that is being answered ends.

    Asks before, at a terminal. Exit code 1 when one of them does not exist; the others are deleted.
    """
    client = FixieClient()
    if not force:
        several = f"these {len(session_ids)} sessions, with their messages and attachments"
        one = f"the session {session_ids[0]}, with its messages and attachments"
        output.confirm(f"Delete {one if len(session_ids) == 1 else several}?")
    outcomes = [_delete(client, session_id) for session_id in dict.fromkeys(session_ids)]
    return 0 if all(outcomes) else exits.FAILED


def _delete(client: FixieClient, session_id: str) -> bool:
    """False: there is none, which is said."""
    try:
        client.get_session(session_id).delete_session()
    except (errors.NotFound, ValueError):
        output.say(
            f"Error: there is no session {session_id!r}. `fixie session list` shows those that are.", err=True
        )
        return False
    output.say(f"Deleted {session_id}")
    return True
