"""Revisions of agents."""

import contextlib
import pathlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from typing import Any, BinaryIO

import anyio
from ariadne import MutationType, ObjectType, UnionType
from starlette.datastructures import UploadFile

from fixieai import errors
from fixieai.platform.graphql.agents import agent_node, agent_type
from fixieai.platform.graphql.pages import check_first, connection
from fixieai.platform.graphql.types import Info, Node
from fixieai.platform.revisions import NewRevision
from fixieai.storage.revisions import Revision

mutation = MutationType()
revision_type = ObjectType("AgentRevision")
deployment_union = UnionType("RevisionDeployment")

BINDABLES = [mutation, agent_type, revision_type, deployment_union]
_ALL = 100


@deployment_union.type_resolver
def deployment_type(node: Node, *_: Any) -> str:
    return "ExternalDeployment" if "url" in node else "ManagedDeployment"


def revision_node(revision: Revision) -> Node:
    is_managed = revision.package_hash is not None
    return {
        "id": str(revision.id),
        "created": revision.created,
        "isCurrent": revision.is_current,
        "indexedCorpora": None,
        "deployment": {"environment": revision.environment} if is_managed else {"url": revision.url},
        "metadata": [{"key": key, "value": value} for key, value in revision.labels],
        "status": revision.status.upper(),
        "problem": revision.problem,
    }


@agent_type.field("currentRevision")
async def current_revision(agent: Node, info: Info) -> Node | None:
    found = agent["_agent"]
    if not found.is_editable or found.current_revision_id is None:
        return None
    revision = await info.context.current_revisions.load(found.id)
    return revision_node(revision) if revision else None


@agent_type.field("allRevisions")
async def all_revisions(agent: Node, info: Info) -> list[Node]:
    return [revision_node(revision) for revision in await _newest(agent, info, _ALL)]


@agent_type.field("revisions")
async def revisions(agent: Node, info: Info, first: int, after: str | None = None) -> Node:
    """Cursors are of one agent: only first pages are asked for of several."""
    check_first(first)
    if after is None or not agent["_agent"].is_editable:
        found = await _newest(agent, info, first + 1)
    else:
        context = info.context
        found = await context.platform.revisions.page(context.caller, agent["agentId"], after, first + 1)
    return connection(found, first, lambda revision: revision.id, revision_node)


async def _newest(agent: Node, info: Info, limit: int) -> list[Revision]:
    if not agent["_agent"].is_editable:
        return []
    return await info.context.newest_revisions.load((agent["_agent"].id, limit)) or []


@mutation.field("createAgentRevision")
async def create_agent_revision(
    _: Any,
    info: Info,
    *,
    agentHandle: str,  # noqa: N803
    makeCurrent: bool,  # noqa: N803
    revision: Node,
    reindexCorpora: bool,  # noqa: N803 - there is no index yet
) -> Node:
    context = info.context
    async with _new_revision(revision) as new:
        created = await context.platform.revisions.create(
            context.caller, agentHandle, new, make_current=makeCurrent
        )
    return {"revision": revision_node(created)}


@contextlib.asynccontextmanager
async def _new_revision(given: Node) -> AsyncIterator[NewRevision]:
    """What is given, with an uploaded package in a file of its own while the block lasts."""
    labels = [(label["key"], label["value"]) for label in given["metadata"]]
    external, managed = given.get("externalDeployment"), given.get("managedDeployment")
    if (external is None) == (managed is None):
        raise errors.UnprocessableContent("revision: give either externalDeployment or managedDeployment")
    if external is not None:
        yield NewRevision(url=external["url"], labels=labels)
        return
    assert managed is not None  # noqa: S101 - one of the two is there
    with tempfile.TemporaryDirectory(prefix="fixie-upload-") as folder:
        package = pathlib.Path(folder, "package.tar.gz")
        upload: UploadFile = managed["codePackage"]
        await anyio.to_thread.run_sync(_copy, upload.file, package)
        yield NewRevision(environment=managed["environment"], package=package, labels=labels)


def _copy(source: BinaryIO, target: pathlib.Path) -> None:
    with target.open("wb") as file:
        shutil.copyfileobj(source, file)


@mutation.field("deleteAgentRevision")
async def delete_agent_revision(_: Any, info: Info, agentHandle: str, revisionId: str) -> Node:  # noqa: N803
    context = info.context
    agent = await context.platform.revisions.delete(context.caller, agentHandle, revisionId)
    return {"agent": agent_node(agent, info)}
