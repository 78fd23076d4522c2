"""The product as it runs: a platform, an agent and a model, each a process of its own."""

import contextlib
import pathlib
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.load import Load
from benchmarks.processes import Child, Connection
from fixieai import constants
from fixieai.platform import signing_keys

FEW_SHOT = {"FIXIE_DEFAULT_MODEL": "few-shot"}
QUESTION = "Roll a d20"
# Counted all the same.
_NO_LIMITS = {"FIXIE_DAILY_QUERIES": "0", "FIXIE_DAILY_STORAGE_CALLS": "0"}


@dataclass(frozen=True)
class System:
    """A platform that knows one agent. `token` is a query token as the platform would give the agent."""

    home: pathlib.Path
    platform: Child
    agent: Child
    url: str
    agent_url: str
    key: str
    person: Connection
    agent_id: str
    token: str

    def asking(self, session: Callable[[], str | None] = lambda: None, callers: int = 8) -> Load:
        """Questions, each in the session that `session` says."""
        url = f"{self.url}/api/agents/{self.agent_id}"
        return Load(url, lambda: _question(session()), token=self.key, callers=callers)

    def ask(self, session: str | None = None) -> str:
        """The answer to one question; without a session, in a new one."""
        answer = self.person.call("POST", f"/api/agents/{self.agent_id}", _question(session))
        return str(answer["message"]["text"])


def scripted(model_url: str) -> dict[str, str]:
    """The variables of a platform whose language model is `servers/model.py`."""
    return {
        "OPENAI_API_KEY": "none",
        "OPENAI_BASE_URL": f"{model_url}/v1",
        "FIXIE_DEFAULT_MODEL": "openai/gpt-4o-mini",
    }


def serve_platform(home: pathlib.Path, variables: dict[str, str], port: int = 0) -> Child:
    arguments = ("-m", "fixieai.cli.main", "platform", "serve", "--home", str(home), "--port", str(port))
    return Child(*arguments, variables={**_NO_LIMITS, **variables})


@contextlib.contextmanager
def running(variables: dict[str, str], agent: str = "dice") -> Iterator[System]:
    """`agent` is one of those in `servers/agent.py`."""
    with tempfile.TemporaryDirectory(prefix="fixie-benchmark-") as folder:
        home = pathlib.Path(folder, "home")
        agent_id = f"local/{agent}"
        with serve_platform(home, variables) as platform:
            url = platform.address()
            its_place = {"FIXIE_API_URL": url, "FIXIE_ALLOWED_AGENT_ID": agent_id}
            with Child("-m", "benchmarks.servers.agent", agent, variables=its_place) as served:
                agent_url = served.address()
                key = (home / "api_key").read_text("ascii").strip()
                person = Connection(url, key)
                person.call("PUT", f"/api/agents/{agent_id}", {"url": agent_url})
                token = _query_token(home, agent_id)
                yield System(home, platform, served, url, agent_url, key, person, agent_id, token)


def _question(session: str | None) -> dict[str, object]:
    return {"session": session, "message": {"text": QUESTION}}


def _query_token(home: pathlib.Path, agent_id: str) -> str:
    now = int(time.time())
    claims = {"sub": "local", "aid": agent_id, "sid": "benchmark", "iat": now, "exp": now + 3600}
    keys = signing_keys.load_or_create(home)
    return keys.sign({"aud": constants.FIXIE_AGENT_API_AUDIENCES, **claims})
