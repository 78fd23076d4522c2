"""`/oauth`: where people come back to from an OAuth provider, and the page that says what came of it."""

import base64
import hashlib
import html
import string
from dataclasses import dataclass
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from fixieai.platform.oauth import Arrival, Outcome, Return
from fixieai.platform.services import platform_of

_STYLE = """
:root { color-scheme: light dark; font: 1.05rem/1.6 system-ui, -apple-system, "Segoe UI", sans-serif; }
body {
  margin: 0; min-height: 100vh; display: grid; place-items: center; background: #f6f6f3; color: #23231f;
}
main {
  max-width: 32rem; margin: 1rem; padding: 1.5rem 2rem 2rem; border-radius: 1rem;
  border: 1px solid #e2e1da; border-top: .4rem solid #a2a19b; background: #fff; overflow-wrap: anywhere;
}
main.good { border-top-color: #2f8f5b; }
main.bad { border-top-color: #b4372f; }
h1 { margin: 0 0 .6rem; font-size: 1.45rem; line-height: 1.3; }
p { margin: .6rem 0 0; }
.soft { color: #67665e; font-size: .92rem; }
@media (prefers-color-scheme: dark) {
  body { background: #191a1d; color: #e7e6e2; }
  main { background: #212327; border-color: #34363c; border-top-color: #67665e; }
  main.good { border-top-color: #5cc48c; }
  main.bad { border-top-color: #ef8a80; }
  .soft { color: #a2a19b; }
}
"""
_PAGE = string.Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title - Fixie</title>
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
<style>$style</style>
</head>
<body>
<main class="$kind">
<h1>$title</h1>
$paragraphs
</main>
</body>
</html>
""")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    # The address holds the code, and the page is true once.
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class _Words:
    """`{agent}` and `{person}` are put in. The last sentence is in smaller print."""

    status: HTTPStatus
    title: str
    text: str
    small: str = "You can close this window."


_NEW_LINK = "You can close this window, and ask the agent for a new link."
_WORDS = {
    Outcome.CONNECTED: _Words(
        HTTPStatus.OK,
        "You are connected",
        "The agent {agent} has the permission that you gave. You can close this window and go on with "
        "your conversation.",
        "The agent uses it for {person}, a user of this platform. If that is not you, take the permission "
        "back where you gave it.",
    ),
    Outcome.DENIED: _Words(
        HTTPStatus.OK,
        "No permission was given",
        "The agent {agent} cannot act for you there. If you change your mind, ask it for a new link.",
    ),
    Outcome.PROVIDER_FAILED: _Words(
        HTTPStatus.BAD_GATEWAY,
        "That did not work",
        "The service that you come from reported a problem, so the agent {agent} has no permission.",
        _NEW_LINK,
    ),
    Outcome.NO_FLOW: _Words(
        HTTPStatus.NOT_FOUND,
        "This link is no longer good",
        "It was used before, it is older than 10 minutes, or the agent has given you a newer one. If this "
        "page has told you that you are connected, you are.",
        "Otherwise close this window, and ask the agent for a new link.",
    ),
    Outcome.AGENT_UNAVAILABLE: _Words(
        HTTPStatus.BAD_GATEWAY,
        "The agent cannot be reached",
        "You gave your permission, but the agent {agent} does not answer, so it cannot use it.",
        "You can close this window. Once the agent runs again, ask it for a new link.",
    ),
    Outcome.AGENT_REFUSED: _Words(
        HTTPStatus.BAD_GATEWAY,
        "That did not work",
        "You gave your permission, but the agent {agent} got no access: the service did not accept its "
        "request, or did not answer.",
        "You can close this window, and ask the agent for a new link. The agent's owner finds the reason in "
        "its log.",
    ),
}
_KINDS = {Outcome.CONNECTED: "good", Outcome.DENIED: "neutral"}
_INCOMPLETE = _Words(
    HTTPStatus.BAD_REQUEST,
    "Something is missing",
    "Services send people to this page after asking them whether an agent may act for them. This address "
    "does not hold what they send along.",
)


async def come_back(request: Request) -> Response:
    """A person, sent here by a provider. HEAD ends no flow: it is programs that look ahead."""
    returned = _returned(request)
    if returned is None:
        return _show(_INCOMPLETE)
    if request.method == "HEAD":
        return Response(headers=_HEADERS, media_type="text/html")
    arrival = await platform_of(request).oauth.bring_back(returned)
    return _show(_WORDS[arrival.outcome], arrival)


def _returned(request: Request) -> Return | None:
    """None unless the state, and either a code or an error, are there once."""
    found = {name: request.query_params.getlist(name) for name in ("state", "code", "error")}
    if any(len(values) > 1 for values in found.values()):
        return None
    state, code, error = (values[0] if values else None for values in found.values())
    if not state or not (code or error):
        return None
    return Return(state, code, error)


def _show(words: _Words, arrival: Arrival | None = None) -> Response:
    """Of what is in the address the page shows nothing."""
    names = {"agent": _strong(arrival.agent_id), "person": _strong(arrival.username)} if arrival else {}
    page = _PAGE.substitute(
        style=_STYLE,
        kind=_KINDS.get(arrival.outcome, "bad") if arrival else "bad",
        title=words.title,
        paragraphs=f'<p>{words.text.format(**names)}</p>\n<p class="soft">{words.small.format(**names)}</p>',
    )
    return HTMLResponse(page, words.status, _HEADERS)


def _strong(name: str) -> str:
    return f"<strong>{html.escape(name)}</strong>"
