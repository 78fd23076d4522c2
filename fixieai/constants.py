"""Where the platform is. Read once from `FIXIE_API_URL` at import; every other URL follows from it."""

import os

LOCAL_API_URL = "http://127.0.0.1:8180"
# The original's default was a cloud that is gone. Whoever owns that name today must not get
# anybody's keys and queries, so the default is the platform on this machine.
FIXIE_API_URL = (os.environ.get("FIXIE_API_URL") or LOCAL_API_URL).rstrip("/")

FIXIE_GRAPHQL_URL = f"{FIXIE_API_URL}/graphql"
FIXIE_AGENT_URL = f"{FIXIE_API_URL}/api/agents"
FIXIE_USER_STORAGE_URL = f"{FIXIE_API_URL}/api/userstorage"
FIXIE_REFRESH_URL = f"{FIXIE_API_URL}/api/refresh"
FIXIE_OAUTH_REDIRECT_URL = f"{FIXIE_API_URL}/oauth"
FIXIE_DEPLOYMENT_URL = f"{FIXIE_API_URL}/api/deployments"
FIXIE_JWKS_URL = f"{FIXIE_API_URL}/.well-known/jwks.json"
FIXIE_OPENAI_PROXY_URL = f"{FIXIE_API_URL}/api/openai-proxy/v1"
FIXIE_WEB_AGENT_URL = f"{FIXIE_API_URL}/agents"
# Fixed by the wire protocol, whatever the platform's address is.
FIXIE_AGENT_API_AUDIENCES = ["https://app.fixie.ai/api", "https://app.dev.fixie.ai/api"]

_NO_KEY = (
    "No API key for {url}. Sign in with `fixie auth`, set FIXIE_API_KEY, or start a platform on this machine "
    "(`fixie platform serve`, or agent.serve()), which makes a key for you."
)


def fixie_api_key(api_url: str = FIXIE_API_URL) -> str:
    """The API key to send to the platform at `api_url`.

    Raises:
        PermissionError: there is none, or the file that holds it cannot be read.
    """
    from fixieai import credentials  # noqa: PLC0415 - start-up: who makes an agent needs no key yet

    key = credentials.find_api_key(api_url)
    if key is None:
        raise PermissionError(_NO_KEY.format(url=api_url))
    return key


def is_authenticated() -> bool:
    try:
        fixie_api_key()
    except PermissionError:
        return False
    return True
