"""Revisions of agents: where each is served, or the code that the platform runs."""

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import IO, Any

from fixieai import errors
from fixieai.client import agent as agents
from fixieai.client import connection, graphql, uploads

_CURRENT = (
    "query GetRevisionId($agentId: String!) { agentById(agentId: $agentId) { currentRevision { id } } }"
)
_SET_CURRENT = """
mutation SetCurrentAgentRevision($handle: String!, $currentRevisionId: ID!) {
  updateAgent(agentData: {handle: $handle, currentRevisionId: $currentRevisionId}) { agent { agentId } }
}"""
_CREATE = """
mutation CreateAgentRevision(
  $handle: String!, $makeCurrent: Boolean!, $reindexCorpora: Boolean!,
  $metadata: [RevisionMetadataKeyValuePairInput!]!,
  $externalDeployment: ExternalDeploymentInput, $managedDeployment: ManagedDeploymentInput
) {
  createAgentRevision(
    agentHandle: $handle, makeCurrent: $makeCurrent, reindexCorpora: $reindexCorpora
    revision: {
      metadata: $metadata, externalDeployment: $externalDeployment, managedDeployment: $managedDeployment
    }
  ) { revision { id } }
}"""
_DELETE = """
mutation DeleteRevision($handle: String!, $revisionId: ID!) {
  deleteAgentRevision(agentHandle: $handle, revisionId: $revisionId) { agent { agentId } }
}"""


class FixieEnvironment(str, Enum):  # noqa: UP042 - the contract's bases: str() gives the member's name
    """What a deployed agent runs on."""

    PYTHON = "PYTHON"
    NODEJS = "NODEJS"


class RevisionConnection(connection.PlatformConnection):
    """A connection that also knows revisions. Agents are `handle`, the user's own, or `owner/handle`."""

    def create_agent_revision(  # noqa: PLR0913 - the contract's, but `progress`
        self,
        handle: str,
        make_current: bool,
        *,
        reindex_corpora: bool = False,
        metadata: Mapping[str, str] | None = None,
        external_url: str | None = None,
        gzip_tarfile: IO[bytes] | None = None,
        environment: FixieEnvironment = FixieEnvironment.PYTHON,
        progress: uploads.Progress | None = None,
    ) -> str:
        """Creates a revision of an agent and gives its id; what is to be current is ready when this returns.

        Args:
            metadata: what is kept with the revision.
            external_url: where it is served; or else
            gzip_tarfile: its code, a gzip tar opened for reading as bytes, and
            environment: what that code runs on.
            progress: told of the upload as it goes: bytes sent, bytes in all.

        Raises:
            ValueError: not exactly one of `external_url` and `gzip_tarfile` was given.
            FixieError: the platform refused it, or could not start it; the message says why. The
                former revision then stays current.
        """
        if (external_url is None) == (gzip_tarfile is None):
            raise ValueError("give exactly one of external_url and gzip_tarfile")
        managed = {"environment": FixieEnvironment(environment).value, "codePackage": gzip_tarfile}
        variables = {
            "handle": agents.bare_handle(self, handle),
            "makeCurrent": make_current,
            "reindexCorpora": reindex_corpora,
            "metadata": [{"key": key, "value": value} for key, value in (metadata or {}).items()],
            "externalDeployment": None if external_url is None else {"url": external_url},
            "managedDeployment": None if gzip_tarfile is None else managed,
        }
        data = self.gqlclient.execute(_CREATE, variables, upload_files=True, progress=progress)
        return str(graphql.part_of(data, "createAgentRevision", "revision", "id"))

    def deploy_agent(
        self,
        handle: str,
        gzip_tarfile: IO[bytes],
        environment: FixieEnvironment = FixieEnvironment.PYTHON,
    ) -> str:
        """Makes code the agent's current revision, and gives that one's id. See `create_agent_revision`."""
        return self.create_agent_revision(handle, True, gzip_tarfile=gzip_tarfile, environment=environment)

    def get_current_agent_revision(self, handle: str) -> str | None:
        """The id of the current revision; None when there is none, or no such agent."""
        agent = self.gqlclient.execute(_CURRENT, {"agentId": handle}).get("agentById")
        revision = agent and agent.get("currentRevision")
        return str(revision["id"]) if revision else None

    def set_current_agent_revision(self, handle: str, revision_id: str) -> None:
        """Makes a revision the one that answers; queries under way end with the former one.

        Raises:
            NotFound: there is no such agent or revision.
        """
        named = {"handle": agents.bare_handle(self, handle), "currentRevisionId": str(revision_id)}
        self.gqlclient.execute(_SET_CURRENT, named)

    def delete_agent_revision(self, handle: str, revision_id: str) -> None:
        """Deletes a revision; without a current one an agent is offline.

        Raises:
            NotFound: there is no such agent or revision.
        """
        named = {"handle": agents.bare_handle(self, handle), "revisionId": str(revision_id)}
        self.gqlclient.execute(_DELETE, named)

    def get_agent_revisions(self, handle: str) -> Iterator[dict[str, Any]]:
        """The revisions of an agent, the newest first: `id`, `created`, `isCurrent`, `status`, ...

        Raises:
            NotFound: there is no such agent.
        """
        return self.get_all(f"{agents.agent_url(self, handle)}/revisions", "revisions")

    def renew_lease(self, handle: str, url: str, lease_seconds: int) -> None:
        """The program at `url` goes on serving an agent. See `Agent.register`; no handshake is made.

        Raises:
            NotFound: the lease has ended: register again.
            Conflict: another program serves the agent meanwhile.
        """
        lease = {"url": url, "leaseSeconds": lease_seconds}
        self.post_repeatable(f"{agents.agent_url(self, handle)}/lease", lease)

    def get_agent_logs(self, handle: str, revision_id: str | None = None, limit: int = 100) -> list[str]:
        """The last `limit` lines that a deployed revision printed (None: the current one).

        Raises:
            NotFound: there is no such agent or revision.
        """
        url = agents.agent_url(self, handle)
        revision_id = revision_id or self.get(url)["currentRevisionId"]
        if revision_id is None:
            raise errors.NotFound(f"{handle} has no current revision, or none that is yours to see.")
        place = f"{url}/revisions/{connection.quoted(revision_id)}"
        return list(self.get(f"{place}/logs", limit=limit)["lines"])
