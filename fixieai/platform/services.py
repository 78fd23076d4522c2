"""All services of one running platform, as the endpoints find them."""

from dataclasses import dataclass

from starlette.requests import Request

from fixieai.llm.models import Models
from fixieai.platform.accounts import Accounts
from fixieai.platform.auth import Auth
from fixieai.platform.authorizations import Authorizations
from fixieai.platform.browser_codes import BrowserCodes
from fixieai.platform.embeds import Embeds
from fixieai.platform.executors import Executor
from fixieai.platform.metrics import Metrics
from fixieai.platform.oauth import OAuth
from fixieai.platform.openai_proxy import OpenAIProxy
from fixieai.platform.organizations import Organizations
from fixieai.platform.query_runner import QueryRunner
from fixieai.platform.readiness import Readiness
from fixieai.platform.registry import Registry
from fixieai.platform.retention import Retention
from fixieai.platform.revisions import Revisions
from fixieai.platform.secret_key import SecretKey
from fixieai.platform.sessions import Sessions
from fixieai.platform.settings import Settings
from fixieai.platform.sign_in import SignIn
from fixieai.platform.usage import Usage
from fixieai.platform.user_storage import UserStorage
from fixieai.storage.database import Database


@dataclass(frozen=True, slots=True)
class Platform:
    """Opened at start, closed at the end, in `app`."""

    settings: Settings
    database: Database
    auth: Auth
    accounts: Accounts
    sign_in: SignIn
    authorizations: Authorizations
    secret_key: SecretKey
    browser_codes: BrowserCodes
    models: Models
    registry: Registry
    revisions: Revisions
    retention: Retention
    organizations: Organizations
    executor: Executor
    runner: QueryRunner
    sessions: Sessions
    embeds: Embeds
    openai_proxy: OpenAIProxy
    usage: Usage
    oauth: OAuth
    user_storage: UserStorage
    metrics: Metrics
    readiness: Readiness

    def stop(self) -> None:
        """The end begins: it is not ready any more, and queries are handed over after their grace time."""
        self.readiness.drain()
        self.runner.stop()


def platform_of(request: Request) -> Platform:
    platform: Platform = request.app.state.platform
    return platform
