"""The one user of a platform on somebody's own machine, and the API key that the command line finds."""

import pathlib

from fixieai import credentials, errors
from fixieai.platform import private_files
from fixieai.platform.auth import Auth
from fixieai.platform.settings import LOCAL_USERNAME


async def ensure_key(home: pathlib.Path, auth: Auth) -> str:
    """The local user's API key, made on first use or when the one in the file is no longer good."""
    path = home / credentials.LOCAL_KEY_FILE
    stored = (private_files.read(path) or "").strip()
    if stored and await _is_good(auth, stored):
        return stored
    key = await auth.create_api_key(LOCAL_USERNAME, "This machine")
    private_files.write(path, key)
    return key


async def _is_good(auth: Auth, key: str) -> bool:
    try:
        caller = await auth.authenticate(key)
    except errors.Forbidden:
        return False
    return caller.username == LOCAL_USERNAME


def make_home(home: pathlib.Path) -> None:
    """Raises ConfigurationError when the folder cannot be made or used."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise errors.ConfigurationError(
            f"Cannot keep the platform's data in {home}: {error.strerror}. Set FIXIE_HOME to another folder."
        ) from error
