"""`fixie deploy`: the agent of a folder becomes one that the platform runs."""

import contextlib
import pathlib
import shlex
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import click

from fixieai import errors
from fixieai.cli import output, processes
from fixieai.cli.agent import agent_config, code_package, deployed_agent, init, local_venv, npm_package
from fixieai.cli.agent.agent_config import AgentConfig
from fixieai.cli.agent.code_package import Entry
from fixieai.client.client import FixieClient, FixieEnvironment

_LISTED = 200
_VALIDATION_SECONDS = 60.0


@click.command("deploy", short_help="Deploy the current agent.")
@click.argument("path", required=False)
@click.option("--metadata-only", is_flag=True, default=None, help="Accepted for old scripts.")
@click.option(
    "--public", is_flag=True, default=None, help="Make the agent public; without it, that stays as it is."
)
@click.option("--validate/--no-validate", default=True, show_default=True, help="Load the agent here before.")
@click.option(
    "--current/--not-current", default=True, show_default=True, help="Let the new revision answer queries."
)
@click.option(
    "--metadata",
    type=(str, str),
    multiple=True,
    metavar="KEY VALUE",
    help="Kept with the revision; repeatable.",
)
@click.option("--reindex/--no-reindex", default=False, show_default=True, help="Index the corpora again.")
def deploy_agent(  # noqa: PLR0913, PLR0917 - an argument for each option
    path: str | None,
    metadata_only: bool | None,
    public: bool | None,
    validate: bool,
    current: bool,
    metadata: tuple[tuple[str, str], ...],
    reindex: bool,
) -> None:
    """Deploys the agent in PATH (a folder, default this one, or its agent.yaml).

    Creates the agent on the platform, or brings what is known of it up to date, and sends the code, which
    the platform runs. What is sent is listed: everything in the folder but hidden files and folders; a
    `.env` is sent. With `deployment_url` in the agent.yaml no code is sent, and the agent is called there.
    The former revision answers until the new one is ready, and stays when that cannot be started.
    """
    del metadata_only
    file = agent_config.path_of(path)
    config = init.load_or_create(file)
    source = _Source(file, config)
    if validate and source.is_python:
        _validate(source)
    client = FixieClient()
    agent = client.get_agent(config.agent_id)
    agent_id = deployed_agent.id_of(client, agent, config)
    with _sent(source, agent_id, client.url) as package:
        deployed_agent.create_or_update(agent, config)
        revision = client.create_agent_revision(
            agent_id,
            current,
            reindex_corpora=reindex,
            metadata=dict(metadata) | deployed_agent.labels("deploy"),
            external_url=config.deployment_url,
            gzip_tarfile=package,
            environment=source.environment,
            progress=output.progress("Sent", "Waiting until it is ready.") if package else None,
        )
    if public or config.public:
        agent.update_agent(published=True)
    if current:
        _announce(client, agent_id, revision)
    else:
        _tell_how_to_switch(agent_id, revision, path)


@dataclass(frozen=True, slots=True)
class _Source:
    file: pathlib.Path
    config: AgentConfig

    @property
    def environment(self) -> FixieEnvironment:
        """Node.js, where a package.json is and the entry point's Python file is not."""
        folder = self.file.parent
        module = folder.joinpath(*self.config.module.split("."))
        has_python = module.with_suffix(".py").exists() or module.is_dir()
        is_node = (folder / npm_package.MANIFEST).exists() and not has_python
        return FixieEnvironment.NODEJS if is_node else FixieEnvironment.PYTHON

    @property
    def is_python(self) -> bool:
        return not self.config.deployment_url and self.environment is FixieEnvironment.PYTHON


def _validate(source: _Source) -> None:
    """Loads the agent in a process of its own, as the platform will."""
    variables = processes.environment(FIXIE_ALLOWED_AGENT_ID=source.config.agent_id)
    command = ("fixieai.cli.agent.loader", "-", source.file.name)
    folder = source.file.parent.resolve()
    python = local_venv.present_python_of(folder)
    with processes.Child(command, variables, folder=folder, python=python) as child:
        code = child.wait(_VALIDATION_SECONDS)
    if code is None:
        raise errors.ConfigurationError(f"The agent was not loaded after {_VALIDATION_SECONDS:g} seconds.")
    if code != 0:
        raise errors.ConfigurationError(
            "The agent cannot be loaded here: nothing was deployed. --no-validate skips this, for what needs "
            "packages that are not installed here."
        )


@contextlib.contextmanager
def _sent(source: _Source, agent_id: str, api_url: str) -> Iterator[IO[bytes] | None]:
    """The package to send, opened, after it was listed. None: the agent runs elsewhere."""
    if source.config.deployment_url:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="fixie-deploy-") as folder:
        packed = pathlib.Path(folder, "package.tgz")
        if source.environment is FixieEnvironment.NODEJS:
            packed, files = npm_package.pack(source.file.parent, pathlib.Path(folder))
        else:
            variables = {"FIXIE_ALLOWED_AGENT_ID": agent_id, "FIXIE_API_URL": api_url}
            files = code_package.entries(source.file, variables)
            with packed.open("wb") as target:
                code_package.write(files, target)
        _list(files, packed.stat().st_size)
        with packed.open("rb") as package:
            yield package


def _list(files: list[Entry], packed_bytes: int) -> None:
    limit = code_package.LIMITS.packed_bytes
    for entry in files[:_LISTED]:
        output.hint(f"  {entry.name}  {output.size(entry.size)}", err=True)
    if len(files) > _LISTED:
        output.hint(f"  and {len(files) - _LISTED} more", err=True)
    click.echo(f"Sending {len(files)} files, {output.size(packed_bytes)} packed.", err=True)
    if packed_bytes > limit:
        raise errors.ConfigurationError(f"A package has at most {output.size(limit)} when it is packed.")


def _tell_how_to_switch(agent_id: str, revision: str, path: str | None) -> None:
    where = "" if path is None else f" {shlex.quote(path)}"
    click.echo(f"Created revision {revision} of {agent_id}, which is not the current one.")
    output.hint(f"`fixie agent show {agent_id}` says when it is ready; then this makes it current:", err=True)
    output.hint(f"fixie agent revisions set-current{where} --id {revision}", err=True)


def _announce(client: FixieClient, agent_id: str, revision: str) -> None:
    click.echo(f"Deployed {agent_id}, revision {revision}: {client.get_agent_page_url(agent_id)}")
    with contextlib.suppress(errors.FixieError):  # it is deployed, also where the platform is gone by now
        sample = deployed_agent.sample_query(client, agent_id)
        if sample:
            output.hint(f"Try: {sample}")
