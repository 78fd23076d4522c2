"""The code flow of `fixie auth` (OAuth 2, RFC 6749 and 7636): a person gives a program a key.

    page      GET  /authorize?client_id=...&redirect_uri=http://localhost:PORT&state=...&code_challenge=...
    page      POST /api/authorizations       the person agreed: a code goes to the program's own address
    program   POST /access/token             exchanges the code, once and within a minute, for an API key

There is one client, which has no secret: what protects the code is that it goes to the person's own
machine only, and PKCE where the program uses it, as ours does and the original's does not.
"""

import base64
import hashlib
import hmac
import re
import secrets
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass

from fixieai import errors
from fixieai.platform import passwords
from fixieai.platform.auth import Auth, Caller
from fixieai.storage import authorizations, users
from fixieai.storage.authorizations import Authorization
from fixieai.storage.database import Database

CLIENT_ID = "II4FM6ToxVwSKB6DW1r114AKAuSnuZEgYehEBB-5WQA"
SCOPE = "api-access"
CODE_SECONDS = 60
KEY_NAME = "Command line"
_REDIRECT = re.compile(r"http://(?:localhost|127\.0\.0\.1)(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]{0,200})?")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_LONGEST_STATE = 1_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What a program asks for. `challenge` is PKCE's, None for a program that uses none."""

    redirect_uri: str
    state: str | None
    challenge: str | None

    @property
    def place(self) -> str:
        """Where the code goes, for the person to see."""
        return urllib.parse.urlsplit(self.redirect_uri).netloc

    def answer(self, **parameters: str) -> str:
        """The address that takes the answer to the program; values are percent-encoded, with no `+`."""
        given = parameters if self.state is None else {**parameters, "state": self.state}
        pairs = (f"{name}={urllib.parse.quote(value, safe='')}" for name, value in given.items())
        return f"{self.redirect_uri}?{'&'.join(pairs)}"


class GrantRefused(errors.BadRequest):
    """A program's request for a key. `error` is one of RFC 6749's codes."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__(message)
        self.error = error


def read(parameters: Mapping[str, str]) -> Asked:
    """What stands in the address of the page.

    Raises:
        BadRequest: it is not what this platform answers; nobody may be sent anywhere with it.
    """
    if parameters.get("client_id") != CLIENT_ID:
        raise errors.BadRequest("The program that sent you here is not known to this platform.")
    redirect_uri = parameters.get("redirect_uri", "")
    if not _REDIRECT.fullmatch(redirect_uri):
        raise errors.BadRequest("The program that sent you here is not on this machine: it gets no access.")
    if parameters.get("response_type") != "code" or parameters.get("scope", SCOPE) != SCOPE:
        raise errors.BadRequest("The program that sent you here asks for what this platform does not give.")
    challenge = parameters.get("code_challenge")
    method = parameters.get("code_challenge_method", "plain") if challenge is not None else "S256"
    if method != "S256" or (challenge is not None and not _CHALLENGE.fullmatch(challenge)):
        raise errors.BadRequest("The program that sent you here uses PKCE in a way that is not understood.")
    state = parameters.get("state")
    if state is not None and len(state) > _LONGEST_STATE:
        raise errors.BadRequest("The program that sent you here sent too long a state.")
    return Asked(redirect_uri, state, challenge)


class Authorizations:
    """Codes that were given out; the database has their hashes."""

    def __init__(self, database: Database, auth: Auth) -> None:
        self._database = database
        self._auth = auth

    async def allow(self, caller: Caller, asked: Asked) -> str:
        """The address that takes a code for the caller's key to the program.

        Raises:
            SignInAgain: the caller's page signed in a while ago.
        """
        caller.must_be_fresh()
        code = secrets.token_urlsafe(32)
        expires = int(time.time()) + CODE_SECONDS
        allowed = Authorization(caller.user_id, caller.username, asked.redirect_uri, asked.challenge, expires)
        await self._database.write(authorizations.put, passwords.hash_of_code(code), allowed)
        return asked.answer(code=code)

    async def exchange(self, form: Mapping[str, str]) -> str:
        """The API key that a code is worth. Whatever else is wrong, the code is worth nothing afterwards.

        Raises:
            GrantRefused: there is something wrong; the error says what.
        """
        if form.get("grant_type") != "authorization_code":
            raise GrantRefused("unsupported_grant_type", "grant_type must be authorization_code")
        if form.get("client_id") != CLIENT_ID:
            raise GrantRefused("invalid_client", "this client is not known")
        code = form.get("code", "")
        allowed = await self._database.write(authorizations.take, passwords.hash_of_code(code))
        if allowed is None or allowed.expires < time.time():
            raise GrantRefused("invalid_grant", "this code was used before, or is too old")
        if form.get("redirect_uri") != allowed.redirect_uri:
            raise GrantRefused("invalid_grant", "redirect_uri is another than that of the authorization")
        _check_verifier(form.get("code_verifier"), allowed.challenge)
        user = await self._database.read(users.by_id, allowed.user_id)
        if user is None:
            raise GrantRefused("invalid_grant", "there is no such user any more")
        _, key = await self._auth.give_key(user, KEY_NAME)
        return key


def _check_verifier(verifier: str | None, challenge: str | None) -> None:
    """Raises GrantRefused also for a verifier without a challenge: somebody took the challenge away."""
    if verifier is None and challenge is None:
        return
    made = ""
    if verifier is not None and _VERIFIER.fullmatch(verifier):
        made = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    if not hmac.compare_digest(made, challenge or "-"):
        raise GrantRefused("invalid_grant", "code_verifier does not fit the code_challenge")
