"""Every route needs a credential, but for those listed here."""

import pytest

from fixieai.platform.app import ROUTES

PUBLIC = {
    "/healthz",
    "/readyz",
    # Numbers of nobody in particular, and only where FIXIE_METRICS or a loopback address allows it.
    "/metrics",
    "/.well-known/jwks.json",
    # The web page: the same files for everybody. A one-time code is what its key costs.
    "/",
    "/agents/{owner}/{handle}",
    "/sessions/{handle}",
    "/static/{file}",
    # Its last part is signed and ends within ten minutes.
    "/attachment/{token}",
    "/login",
    "/welcome",
    "/authorize",
    "/profile",
    "/graphql",
    # People come back here from OAuth providers: the state in the address says who they are.
    "/oauth",
    "/api/browser-keys",
    # A password, a one-time code of an invitation or of an authorization is the credential.
    "/api/sign-in",
    "/api/invitations",
    "/access/token",
    # Says where an authorization would lead, which stands in its address.
    "/api/authorization-requests",
}
CALLS = [
    (route.path, method)
    for route in ROUTES
    for method in sorted(route.methods or ())
    if route.name != "public" and route.path != "/graphql"  # GraphQL refuses in a shape of its own
]


def test_the_public_routes_are_these_and_no_others() -> None:
    assert {route.path for route in ROUTES if route.name == "public"} == PUBLIC


@pytest.mark.parametrize(("path", "method"), CALLS)
def test_a_call_without_a_credential_is_401_and_with_a_bad_one_403(http, path: str, method: str) -> None:
    path = path.replace("{owner}", "local").replace("{handle}", "dice").replace("{key:path}", "key")

    without = http(method, path, headers={"Authorization": None})
    bad = http(method, path, headers={"Authorization": "Bearer not.a.token"})

    assert without.status_code == 401
    assert without.headers["WWW-Authenticate"].startswith("Bearer")
    assert bad.status_code == 403
    if method != "HEAD":
        assert without.json()["error"]["code"] == "not_authenticated"
        assert set(bad.json()["error"]) == {"code", "message", "reference"}


@pytest.mark.parametrize("path", ["/api/sessions/", "/api/agents/local/%2f", "/healthz/"])
def test_nobody_is_sent_elsewhere(http, path: str) -> None:
    answer = http("GET", path, headers={"Authorization": None}, allow_redirects=False)

    assert (answer.status_code, answer.headers.get("Location")) in ((404, None), (401, None))
