"""The commands below `fixie platform`."""

from fixieai.cli import lazy
from fixieai.cli.lazy import Entry

_LOCAL = "fixieai.cli.platform.local"
_USERS = "fixieai.cli.platform.users"
_KEYS = "fixieai.cli.platform.keys"
_DATABASES = "fixieai.cli.platform.databases"
_BACKUPS = "fixieai.cli.platform.backups"

users = lazy.group(
    "users",
    "Who may use this platform.",
    {
        "add": Entry(f"{_USERS}:add", "Adds somebody, and prints a link for them."),
        "list": Entry(f"{_USERS}:list_users", "Lists everybody."),
        "invite": Entry(f"{_USERS}:invite", "Prints a new link for somebody who forgot the password."),
        "remove": Entry(f"{_USERS}:remove", "Removes somebody, with all that is theirs."),
    },
)

keys = lazy.group(
    "keys",
    "API keys of this platform.",
    {
        "create": Entry(f"{_KEYS}:create", "Prints a new API key."),
        "list": Entry(f"{_KEYS}:list_keys", "Lists somebody's API keys."),
        "revoke": Entry(f"{_KEYS}:revoke", "Ends an API key at once."),
    },
)

platform = lazy.group(
    "platform",
    "Runs the platform on this machine.",
    {
        "serve": Entry(f"{_LOCAL}:serve", "Serves the platform until it is stopped."),
        "key": Entry(f"{_LOCAL}:key", "Prints the local user's API key."),
        "migrate": Entry(f"{_DATABASES}:migrate", "Brings the database to the schema of this version."),
        "copy": Entry(f"{_DATABASES}:copy", "Copies the home's database to Postgres."),
        "users": Entry(f"{__name__}:users", "Who may use this platform."),
        "keys": Entry(f"{__name__}:keys", "API keys of this platform."),
        "gc": Entry("fixieai.cli.platform.retention:gc", "Removes what is old, and what has ended."),
        "backup": Entry(f"{_BACKUPS}:backup", "Writes all that the platform keeps to one file."),
        "restore": Entry(f"{_BACKUPS}:restore", "Makes a new home of a backup."),
        "check": Entry(f"{_BACKUPS}:check", "Looks whether everything is there and whole."),
        "rotate-keys": Entry(f"{_KEYS}:rotate", "Makes a new key that signs API keys and query tokens."),
    },
)
