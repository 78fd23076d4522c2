"""Files for systemd, containers and Kubernetes agree with the platform, each other, and their page."""

import ast
import functools
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from fixieai.cli.platform.local import DEFAULT_PORT
from fixieai.platform.app import ROUTES
from fixieai.platform.endpoints import probes
from fixieai.platform.endpoints.graphql import MAXIMUM_BODY_BYTES
from fixieai.platform.metrics import Metrics
from fixieai.platform.settings import QueryLimits
from fixieai.web.server import ServerSettings

ROOT = pathlib.Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
# What is left of the process once its requests are over: deployed agents get ten seconds.
_AGENTS_SECONDS = 10
_INSTRUCTIONS = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL"} | {
    "HEALTHCHECK",
    "ENTRYPOINT",
    "CMD",
}


def kubernetes(name: str) -> Any:
    return yaml.safe_load((DEPLOY / "kubernetes" / name).read_text("utf-8"))


@functools.cache
def compose() -> Any:
    return yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))


@functools.cache
def dockerfile() -> list[tuple[str, str]]:
    """Its instructions, each with what follows."""
    text = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2].strip()) for line in lines]


def settings(unit: pathlib.Path) -> dict[str, str]:
    lines = unit.read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def literals() -> dict[str, str]:
    (generated,) = kubernetes("kustomization.yaml")["configMapGenerator"]
    return dict(literal.split("=", 1) for literal in generated["literals"])


def pod(name: str) -> Any:
    return kubernetes(name)["spec"]["template"]["spec"]


def longest(drain_seconds: float) -> float:
    """From SIGTERM to the end, when everything takes as long as it may."""
    return drain_seconds + ServerSettings().grace_seconds + 2 * QueryLimits().grace_seconds + _AGENTS_SECONDS


def files() -> Iterator[pathlib.Path]:
    yield from (path for path in DEPLOY.rglob("*") if path.is_file())
    yield from (ROOT / "Dockerfile", ROOT / "compose.yaml")


# What is named is there


def test_every_variable_is_one_that_the_platform_reads() -> None:
    trees = (ast.parse(file.read_text("utf-8")) for file in (ROOT / "fixieai").rglob("*.py"))
    read = {node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    named = {name for file in files() for name in re.findall(r"\b(FIXIE_[A-Z_]+)", file.read_text("utf-8"))}

    assert named - {"FIXIE_PORT"} <= read  # which a comment says that Kubernetes would set
    assert {"FIXIE_DATABASE_URL", "FIXIE_SECRET_KEY", "FIXIE_PUBLIC_URL", "FIXIE_HOME"} <= named


def test_every_path_that_is_asked_is_public() -> None:
    public = {route.path for route in ROUTES if route.name == "public"}
    caddy = set(re.findall(r"(?:health_uri|respond) (/\S+)", (DEPLOY / "Caddyfile").read_text("utf-8")))
    (container,) = pod("deployment.yaml")["containers"]
    asked = {
        name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness", "liveness")
    }

    assert asked == {"startup": probes.READY, "readiness": probes.READY, "liveness": probes.HEALTH}
    assert caddy == {probes.READY, probes.METRICS}
    assert caddy | set(asked.values()) <= public


def commands() -> list[list[str]]:
    """Every command line of ours in these files."""
    found = [shlex.split(settings(unit)["ExecStart"].replace("%i", "8180")) for unit in UNITS]
    (ours,) = [ast.literal_eval(rest) for name, rest in dockerfile() if name == "CMD"]
    admin = compose()["services"]["admin"]
    found += [ours, [*admin["entrypoint"][2:], *admin["command"]]]
    (job,) = pod("first-user.yaml")["containers"]
    return [*found, job["args"]]


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_is_one_of_ours(command: list[str]) -> None:
    assert command[0].endswith("fixie")
    asked = [sys.executable, "-m", "fixieai.cli.main", *command[1:], "--help"]

    assert subprocess.run(asked, check=False, capture_output=True, timeout=60).returncode == 0


# What has to fit together


def test_nothing_is_killed_before_it_has_ended_by_itself() -> None:
    environment = compose()["x-platform"]["environment"]
    in_compose = float(environment["FIXIE_DRAIN_SECONDS"])

    assert float(compose()["x-platform"]["stop_grace_period"].removesuffix("s")) >= longest(in_compose)
    drain = float(literals()["FIXIE_DRAIN_SECONDS"])
    assert pod("deployment.yaml")["terminationGracePeriodSeconds"] >= longest(drain)
    for unit in UNITS:
        assert float(settings(unit)["TimeoutStopSec"]) >= longest(5)


def test_balancers_look_twice_before_a_replica_ends() -> None:
    (container,) = pod("deployment.yaml")["containers"]
    probe = container["readinessProbe"]
    (interval,) = re.findall(r"health_interval (\d+)s", (DEPLOY / "Caddyfile").read_text("utf-8"))

    assert 2 * probe["periodSeconds"] * probe["failureThreshold"] < float(literals()["FIXIE_DRAIN_SECONDS"])
    assert 2 * float(interval) < float(compose()["x-platform"]["environment"]["FIXIE_DRAIN_SECONDS"])


def test_the_port_is_the_same_everywhere() -> None:
    (container,) = pod("deployment.yaml")["containers"]
    annotations = kubernetes("deployment.yaml")["spec"]["template"]["metadata"]["annotations"]
    upstreams = re.findall(r"platform-\d:(\d+)", (DEPLOY / "Caddyfile").read_text("utf-8"))

    assert [port["containerPort"] for port in container["ports"]] == [DEFAULT_PORT]
    assert annotations["prometheus.io/port"] == str(DEFAULT_PORT)
    assert set(upstreams) == {str(DEFAULT_PORT)}
    assert ("EXPOSE", str(DEFAULT_PORT)) in dockerfile()


def test_the_version_is_that_of_the_package() -> None:
    (image,) = kubernetes("kustomization.yaml")["images"]
    (job,) = pod("first-user.yaml")["containers"]

    assert image["newTag"] == VERSION
    assert job["image"] == f"{image['newName']}:{VERSION}"
    assert compose()["x-platform"]["image"] == f"{image['name']}:{VERSION}"


# Each file by itself


def test_the_image_gets_what_the_package_is_built_of_and_runs_as_nobody_in_particular() -> None:
    names = [name for name, _ in dockerfile()]
    copied = {
        source
        for name, rest in dockerfile()
        if name == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    }
    sent = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines()
        if line.startswith("!")
    }

    assert set(names) <= _INSTRUCTIONS
    assert names[0] == "FROM"
    assert copied == sent
    assert all((ROOT / source).exists() for source in copied)
    assert ("USER", "10001:10001") in dockerfile()
    assert pod("deployment.yaml")["securityContext"]["runAsUser"] == 10001


def test_the_health_check_of_the_image_is_a_program() -> None:
    (check,) = [rest for name, rest in dockerfile() if name == "HEALTHCHECK"]
    program, option, code = ast.literal_eval(check.partition("CMD ")[2])

    assert (program, option) == ("python", "-c")
    assert f"127.0.0.1:{DEFAULT_PORT}{probes.HEALTH}" in code
    compile(code, "health check", "exec")


def test_replicas_of_compose_differ_in_their_home_alone() -> None:
    services = compose()["services"]
    replicas = [dict(service) for name, service in services.items() if name.startswith("platform-")]
    homes = [replica.pop("volumes") for replica in replicas]

    assert replicas[0] == replicas[1]
    assert len({home[0] for home in homes}) == 2
    assert homes[0][1:] == homes[1][1:] == ["blobs:/blobs"]
    used = {volume.partition(":")[0] for service in services.values() for volume in service["volumes"]}
    assert {name for name in used if not name.startswith(".")} == set(compose()["volumes"])
    assert all((ROOT / name).is_file() for name in used if name.startswith("."))
    known = set(re.findall(r"platform-\d", (DEPLOY / "Caddyfile").read_text("utf-8")))
    assert known == {name for name in services if name.startswith("platform-")}


def test_what_kustomize_names_is_there_and_everything_finds_everything() -> None:
    deployment, service, disruption = (
        kubernetes(f"{name}.yaml") for name in ("deployment", "service", "disruption")
    )
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    resources = kubernetes("kustomization.yaml")["resources"]

    assert all((DEPLOY / "kubernetes" / name).is_file() for name in resources)
    assert deployment["spec"]["selector"]["matchLabels"] == service["spec"]["selector"] == labels
    assert disruption["spec"]["selector"]["matchLabels"] == labels
    assert deployment["spec"]["replicas"] > disruption["spec"]["minAvailable"]
    (container,) = pod("deployment.yaml")["containers"]
    (generated,) = kubernetes("kustomization.yaml")["configMapGenerator"]
    assert container["envFrom"] == [
        {"configMapRef": {"name": generated["name"]}},
        {"secretRef": {"name": kubernetes("secret.example.yaml")["metadata"]["name"]}},
    ]


def test_the_first_user_is_added_with_the_settings_of_the_replicas() -> None:
    (job,) = pod("first-user.yaml")["containers"]
    given = {each["name"]: each["value"] for each in job["env"]}

    assert given.items() <= literals().items()
    assert {"FIXIE_PUBLIC_URL", "FIXIE_BLOBS_URL"} <= set(given)
    assert job["envFrom"] == [{"secretRef": {"name": "fixie"}}]


def test_the_ingress_lets_the_largest_package_through() -> None:
    ingress = kubernetes("ingress.example.yaml")["metadata"]["annotations"]
    allowed = ingress["nginx.ingress.kubernetes.io/proxy-body-size"]

    assert int(allowed.removesuffix("m")) * 1024 * 1024 >= MAXIMUM_BODY_BYTES


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_the_unit_may_write_where_its_settings_keep_bytes(unit: pathlib.Path) -> None:
    example = (DEPLOY / "systemd" / "platform.env.example").read_text("utf-8")
    (folder,) = re.findall(r"FIXIE_BLOBS_URL=file://(\S+)", example)

    assert settings(unit)["ReadWritePaths"] == f"-{folder}"


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_understands_the_unit(unit: pathlib.Path, tmp_path: pathlib.Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not here")
    copy = tmp_path / unit.name.replace("@", "@8180")
    copy.write_text(unit.read_text("utf-8").replace("/opt/fixie/bin/fixie", "/bin/true"))

    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", copy],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_the_two_units_differ_in_names_and_ports_alone() -> None:
    one, several = (unit.read_text("utf-8").split("\n", 1)[1] for unit in sorted(UNITS))
    several = several.replace(" on port %i", "").replace("%i", str(DEFAULT_PORT))

    assert several.replace(f"fixie-{DEFAULT_PORT}", "fixie") == one


# The page


def test_the_page_lists_every_number_and_no_other() -> None:
    table = PAGE.partition("## Metrics")[2].partition("What to watch")[0]
    listed = {
        name
        for row in re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", table, re.MULTILINE)
        for name in re.findall(r"\w+", row)
    }
    live = {"fixie_queries_running", "fixie_queries_waiting"}

    assert listed == set(re.findall(r"# TYPE (\w+)", Metrics().render())) | live


def test_the_page_asks_for_numbers_that_there_are() -> None:
    asked = set(re.findall(r"\b((?:fixie|process)_[a-z_]+)\b", PAGE.partition("What to watch")[2]))
    known = set(re.findall(r"# TYPE (\w+)", Metrics().render())) | {"fixie_queries_waiting"}

    assert {name.removesuffix("_bucket") for name in asked} <= known
    assert asked


def test_the_page_speaks_of_every_file() -> None:
    named = [file for file in files() if file.name in PAGE]
    unnamed = {file.name for file in files()} - {file.name for file in named}

    assert unnamed == {
        "Caddyfile",
        "deployment.yaml",
        "service.yaml",
        "disruption.yaml",
    }
