"""An agent as the platform knows it."""

import datetime as dt
import warnings
from typing import Any

from fixieai import constants, errors
from fixieai.client import connection, graphql

_CREATE = """
mutation CreateAgent($agentData: CreateAgentInput!) {
  createAgent(agentData: $agentData) { agent { agentId } }
}"""
_UPDATE = """
mutation UpdateAgent($agentData: UpdateAgentInput!) {
  updateAgent(agentData: $agentData) { agent { agentId } }
}"""
_FUNC_URL = "func_url is deprecated: give the agent's address as query_url, or create a revision with it"


def agent_url(client: connection.PlatformConnection, agent_id: str, *, api: str = "agents") -> str:
    """Where the platform keeps `agent_id`, `owner/handle` or a handle of the current user's.

    Raises:
        ValueError: `agent_id` is neither.
    """
    parts = agent_id.removeprefix("@").split("/")
    if len(parts) == 1:
        parts.insert(0, client.get_current_username())
    if len(parts) != 2:
        raise ValueError(f"{agent_id!r} is not an agent: write `handle` or `owner/handle`")
    return f"{client.url}/api/{api}/{connection.quoted(*parts)}"


def bare_handle(client: connection.PlatformConnection, agent_id: str) -> str:
    """How mutations name an agent: by its handle when it is the current user's, else by `owner/handle`."""
    owner, _, handle = agent_id.removeprefix("@").rpartition("/")
    return handle if not owner or owner == client.get_current_username() else f"{owner}/{handle}"


class Agent:
    """What is known about one agent. `valid` is False, and all else None, when there is none of that name.

    Raises:
        FixieError: the platform could not be asked; that is not the same as an agent that does not exist.
        ValueError: `agent_id` is no agent's name.
    """

    def __init__(self, client: connection.PlatformConnection, agent_id: str) -> None:
        """`agent_id` is `owner/handle`, or the bare handle of one of the current user's agents."""
        self._client = client
        self._agent_id = agent_id
        self._url = agent_url(client, agent_id)
        self._metadata = self._fetch()

    def _fetch(self) -> dict[str, Any] | None:
        try:
            return dict(self._client.get(self._url))
        except errors.NotFound:
            return None

    def _field(self, name: str) -> Any:
        return None if self._metadata is None else self._metadata.get(name)

    def _text(self, name: str) -> str | None:
        value = self._field(name)
        return None if value is None else str(value)

    @property
    def agent_id(self) -> str:
        """The id, as it was given."""
        return self._agent_id

    @property
    def valid(self) -> bool:
        return self._metadata is not None

    @property
    def handle(self) -> str | None:
        return self._text("handle")

    @property
    def name(self) -> str | None:
        return self._text("name")

    @property
    def description(self) -> str | None:
        return self._text("description")

    @property
    def queries(self) -> list[str] | None:
        """Sample queries, from the agent's few-shots."""
        queries = self._field("queries")
        return None if queries is None else list(queries)

    @property
    def more_info_url(self) -> str | None:
        return self._text("moreInfoUrl")

    @property
    def published(self) -> bool | None:
        published = self._field("published")
        return None if published is None else bool(published)

    @property
    def owner(self) -> str | None:
        """The owner's username."""
        owner = self._field("owner")
        return owner.get("username") or owner.get("handle") if owner else None

    @property
    def query_url(self) -> str | None:
        """Where the agent answers queries: as it was given, or where a standalone agent is served."""
        return self._text("queryUrl") or self._url_of("standalone", "unknown")

    @property
    def func_url(self) -> str | None:
        """Where the agent answers calls of its funcs: as given, or where a Code Shot agent is served."""
        return self._text("funcUrl") or self._url_of("code_shot")

    def _url_of(self, *kinds: str) -> str | None:
        return self._text("url") if self._field("type") in kinds else None

    @property
    def status(self) -> str | None:
        """`online`, `offline` (not being served) or `unreachable`."""
        return self._text("status")

    @property
    def created(self) -> dt.datetime | None:
        return _time(self._field("created"))

    @property
    def modified(self) -> dt.datetime | None:
        return _time(self._field("modified"))

    def get_metadata(self) -> dict[str, Any]:
        """Everything the platform says about the agent, asked for again.

        Raises:
            ValueError: there is no such agent.
        """
        self._metadata = self._fetch()
        if self._metadata is None:
            raise ValueError(f"no agent {self._agent_id}")
        return self._metadata

    def register(self, url: str | None, *, lease_seconds: int | None = None, **description: str) -> None:
        """Says that a program serves the agent at `url` now; the platform shakes hands with it.

        Creates the agent when there is none. What was current before is so again with `url` None, or
        when a lease has ended that nobody renewed.

        Args:
            url: where the agent is served now, or None: it is not any more.
            lease_seconds: for how long, unless `FixieClient.renew_lease` prolongs it; None: no limit.
            description: `name`, `description`, `moreInfoUrl`; what is absent stays as it is.

        Raises:
            UpstreamError: the handshake failed; nothing was changed.
        """
        lease = {} if lease_seconds is None else {"leaseSeconds": lease_seconds}
        self._metadata = dict(self._client.put(self._url, {"url": url, **lease, **description}))

    def create_agent(
        self,
        name: str | None = None,
        description: str = "",
        query_url: str | None = None,
        func_url: str | None = None,
        more_info_url: str | None = None,
        published: bool | None = None,
    ) -> str:
        """Creates the agent and gives its id.

        Args:
            query_url: where the agent is served, when it is already.
            func_url: deprecated, as `query_url`.
            published: whether others may use it; they may not, unless told.

        Raises:
            Conflict: there is one of that name already.
        """
        fields = _fields(name, description, query_url, func_url, more_info_url, published)
        owner, _, handle = bare_handle(self._client, self._agent_id).rpartition("/")
        named = {"handle": handle} | ({"owner": owner} if owner else {})
        return self._change("createAgent", _CREATE, {"description": "", **named, **fields})

    def update_agent(  # noqa: PLR0913, PLR0917 - the contract's
        self,
        new_handle: str | None = None,
        name: str | None = None,
        description: str | None = None,
        query_url: str | None = None,
        func_url: str | None = None,
        more_info_url: str | None = None,
        published: bool | None = None,
    ) -> str:
        """Changes what is given, leaves the rest as it is, and gives the id, which a new handle changes.

        Raises:
            NotFound: there is no such agent of the user's, or of an organisation of theirs.
            Conflict: the new handle is taken.
        """
        fields = _fields(name, description, query_url, func_url, more_info_url, published)
        named = {"handle": bare_handle(self._client, self._agent_id)}
        renamed = {"newHandle": new_handle} if new_handle else {}
        return self._change("updateAgent", _UPDATE, {**named, **fields, **renamed})

    def _change(self, field: str, document: str, data: dict[str, Any]) -> str:
        answer = self._client.gqlclient.execute(document, {"agentData": data})
        agent_id = str(graphql.part_of(answer, field, "agent", "agentId"))
        self._rename(agent_id)
        self._metadata = self._fetch()
        return agent_id

    def _rename(self, agent_id: str) -> None:
        self._url = agent_url(self._client, agent_id)
        is_renamed = agent_id.rpartition("/")[2] != self._agent_id.rpartition("/")[2]
        self._agent_id = agent_id if is_renamed else self._agent_id

    def delete_agent(self) -> None:
        """Deletes the agent. Raises NotFound when there is none."""
        self._client.delete(self._url)
        self._metadata = None


def _fields(
    name: str | None,
    description: str | None,
    query_url: str | None,
    func_url: str | None,
    more_info_url: str | None,
    published: bool | None,
) -> dict[str, Any]:
    """What was given, as the platform's inputs call it."""
    if func_url is not None:
        warnings.warn(_FUNC_URL, DeprecationWarning, stacklevel=3)
    given = {
        "name": name,
        "description": description,
        "queryUrl": query_url,
        "funcUrl": func_url,
        "moreInfoUrl": more_info_url,
        "published": published,
    }
    return {key: value for key, value in given.items() if value is not None}


def page_url(client: connection.PlatformConnection, agent_id: str) -> str:
    """The web page of an agent. Raises ValueError when `agent_id` is no agent's name."""
    path = agent_url(client, agent_id).removeprefix(f"{client.url}/api/agents/")
    return f"{client.url}{constants.FIXIE_WEB_AGENT_URL.removeprefix(constants.FIXIE_API_URL)}/{path}"


def _time(text: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text) if text else None
