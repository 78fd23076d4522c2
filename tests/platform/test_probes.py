"""What load balancers and monitors are told: with a real database that goes away, and real calls."""

import asyncio
import contextlib
import pathlib
import re
import threading
import time
from collections.abc import Iterator

import pytest
import requests

import fixieai
from fixieai import errors, testing
from fixieai.llm.settings import ModelSettings
from fixieai.platform import prometheus
from fixieai.platform.app import build_app
from fixieai.platform.readiness import DRAINING, NO_DATABASE, Readiness
from fixieai.platform.settings import Settings, from_environment
from fixieai.storage.database import connect
from fixieai.testing.model_server import Fails, ModelServer, Reply, Says
from fixieai.web import server

_SAMPLE = re.compile(r'([a-z_:]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\.)*",?)*)\})? (\S+)')
_SHOTS = "Q: Go\nAsk Func[one]: a\nFunc[one] says: 1\nA: done"


def _numbers(text: str) -> dict[str, float]:
    """Every sample, by its name and labels; each has its family's `# TYPE` before it."""
    found: dict[str, float] = {}
    family = ""
    for line in text.splitlines():
        if line.startswith("# "):
            family = line.split(" ", 3)[2]
            continue
        match = _SAMPLE.fullmatch(line)
        assert match, line
        assert match[1].startswith(family)
        key = line.rpartition(" ")[0]
        assert key not in found, line
        found[key] = float(match[3])
    return found


@pytest.fixture
def home(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "home"


@contextlib.contextmanager
def _running(settings: Settings) -> Iterator[str]:
    with server.BackgroundServer(build_app(settings), server.bind("127.0.0.1", 0)) as running:
        yield running.url


def _go() -> fixieai.CodeShotAgent:
    agent = fixieai.CodeShotAgent("I go.", _SHOTS)

    @agent.register_func
    def one(query: fixieai.Message) -> str:
        return "first"

    return agent


# Readiness


def test_a_platform_that_runs_is_ready(http) -> None:
    answer = http("GET", "/readyz", headers={"Authorization": None})

    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})
    assert answer.headers["Cache-Control"] == "no-store"


async def test_it_is_not_ready_once_it_drains(tmp_path: pathlib.Path) -> None:
    database = await connect(f"sqlite://{tmp_path / 'fixie.db'}")
    readiness = Readiness(database)
    assert await readiness.obstacle() is None

    readiness.drain()

    assert await readiness.obstacle() == DRAINING
    await database.close()


async def test_it_is_not_ready_while_the_database_is_away_and_again_when_it_is_back(
    postgres_server, postgres_url: str
) -> None:
    database = await connect(postgres_url)
    readiness = Readiness(database)
    assert await readiness.obstacle() is None

    await asyncio.to_thread(postgres_server.stop)
    try:
        began = time.monotonic()
        obstacles = await asyncio.gather(*(readiness.obstacle() for _ in range(50)))
        assert obstacles == [NO_DATABASE] * 50
        assert time.monotonic() - began < 20
    finally:
        await asyncio.to_thread(postgres_server.start)

    until = time.monotonic() + 60
    while (obstacle := await readiness.obstacle()) is not None:
        assert time.monotonic() < until, obstacle
        await asyncio.sleep(0.05)
    await database.close()


def test_a_platform_that_stops_answers_503_with_retry_after(home: pathlib.Path) -> None:
    app = build_app(Settings(home))
    running = server.BackgroundServer(app, server.bind("127.0.0.1", 0))
    running.start()
    running._server.drain()

    answer = requests.get(f"{running.url}/readyz", timeout=60)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.json()["error"]["message"] == DRAINING
    assert requests.get(f"{running.url}/healthz", timeout=60).ok
    running.stop()


# Who may ask


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_balancer_may_ask_by_any_name_where_others_are_let_in(home: pathlib.Path, path: str) -> None:
    with _running(Settings(home, public_url="https://fixie.example.com")) as url:
        by_address = requests.get(url + path, headers={"Host": "10.1.2.3:8180"}, timeout=60)
        elsewhere = requests.get(url + "/api/user", headers={"Host": "10.1.2.3:8180"}, timeout=60)

    assert (by_address.status_code, elsewhere.status_code) == (200, 421)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_a_platform_of_this_machine_answers_to_its_own_names_alone(http, path: str) -> None:
    assert http("GET", path, headers={"Host": "evil.example.com"}).status_code == 421


@pytest.mark.parametrize(("is_public", "status"), [(False, 404), (True, 200)])
def test_metrics_of_a_public_platform_are_shown_only_if_set_so(
    home: pathlib.Path, is_public: bool, status: int
) -> None:
    settings = Settings(home, public_url="https://fixie.example.com", has_public_metrics=is_public)
    with _running(settings) as url:
        answer = requests.get(f"{url}/metrics", timeout=60)
        nothing = requests.get(f"{url}/nothing", timeout=60)

    assert answer.status_code == status
    if status == 404:
        bodies = [each.json()["error"] for each in (answer, nothing)]
        assert bodies[0] | {"reference": ""} == bodies[1] | {"reference": ""}


# Metrics


def test_metrics_count_what_was_done_and_name_nobody() -> None:
    replies: list[Reply] = [Says("Ask Func[one]: a", usage=(70, 7)), Says("A: secret words", usage=(80, 8))]
    with ModelServer([*replies, Fails(400)]) as model:
        models = ModelSettings.from_environment(
            {
                "FIXIE_LLM_BASE_URL": model.base_url,
                "FIXIE_DEFAULT_MODEL": "custom/private-name",
                "FIXIE_LLM_RENDERING": "text",
            }
        )
        with testing.platform(models) as platform:
            platform.serve(_go(), "private-agent")
            assert platform.ask("private-agent", "Go").text == "secret words"
            with contextlib.suppress(requests.HTTPError):
                platform.ask("private-agent", "Go")
            answer = requests.get(f"{platform.url}/metrics", timeout=60)

    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    numbers = _numbers(answer.text)
    expected = {
        'fixie_queries_total{outcome="answered"}': 1,
        'fixie_queries_total{outcome="model_unavailable"}': 1,
        "fixie_queries_running": 0,
        "fixie_queries_waiting": 0,
        "fixie_queries_taken_over_total": 0,
        'fixie_model_calls_total{provider="custom",outcome="answered"}': 2,
        'fixie_model_calls_total{provider="custom",outcome="model_unavailable"}': 1,
        'fixie_model_tokens_total{provider="custom",kind="prompt"}': 150,
        'fixie_model_tokens_total{provider="custom",kind="completion"}': 15,
        'fixie_agent_calls_total{outcome="answered"}': 1,
        'fixie_http_requests_total{method="PUT",route="/api/agents/{owner}/{handle}",status="200"}': 1,
    }
    assert {name: numbers.get(name) for name in expected} == expected
    assert numbers["fixie_query_seconds_count"] == numbers['fixie_query_seconds_bucket{le="+Inf"}'] == 2
    for private in ("private", "secret", "local", platform.api_key):
        assert private not in answer.text


def test_queries_that_run_and_that_wait_are_told_apart() -> None:
    asked, may_answer = threading.Event(), threading.Event()
    agent = fixieai.CodeShotAgent("I go.", _SHOTS)

    @agent.register_func
    def one(query: fixieai.Message) -> str:
        asked.set()
        may_answer.wait(60)
        return "first"

    with testing.platform() as platform:
        platform.serve(agent, "go")
        session = platform.call("POST", "/api/sessions", {"frontendAgentId": "go"})["handle"]
        asking = [threading.Thread(target=platform.ask, args=("go", "Go", session)) for _ in range(3)]
        for thread in asking:
            thread.start()
        assert asked.wait(60)
        until = time.monotonic() + 60
        while True:
            numbers = _numbers(requests.get(f"{platform.url}/metrics", timeout=60).text)
            under_way = numbers["fixie_queries_running"], numbers["fixie_queries_waiting"]
            if under_way == (1, 2):
                break
            assert time.monotonic() < until, under_way
            time.sleep(0.05)
        may_answer.set()
        for thread in asking:
            thread.join()


def test_strangers_cannot_make_ever_more_series(http) -> None:
    def series() -> set[str]:
        return set(_numbers(http("GET", "/metrics").text))

    series()
    for name in ("one", "two"):
        http("GET", f"/{name}")
        http(name.upper(), "/readyz")
        http("GET", f"/api/agents/{name}/{name}")
    before = series()
    for name in ("three", "four"):
        http("GET", f"/{name}")
        http(name.upper(), "/readyz")
        http("GET", f"/api/agents/{name}/{name}")

    assert series() == before


def test_labels_cannot_forge_lines() -> None:
    counter = prometheus.Counter("calls_total", "Calls.", ("what",))
    counter.add('a"} 1\nforged 2\\')

    lines = prometheus.render([counter]).splitlines()

    assert lines[2:] == ['calls_total{what="a\\"} 1\\nforged 2\\\\"} 1']


def test_buckets_hold_what_is_at_most_their_limit() -> None:
    histogram = prometheus.Histogram("seconds", "Seconds.")
    for seconds in (0.005, 0.0051, 300, 301):
        histogram.observe(seconds)

    numbers = _numbers(prometheus.render([histogram]))

    assert numbers['seconds_bucket{le="0.005"}'] == 1
    assert numbers['seconds_bucket{le="0.025"}'] == 2
    assert numbers['seconds_bucket{le="300"}'] == 3
    assert numbers['seconds_bucket{le="+Inf"}'] == numbers["seconds_count"] == 4


# Settings


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, 0),
        ({"FIXIE_DATABASE_URL": "postgresql://a/b", "FIXIE_SECRET_KEY": "x"}, 5),
        ({"FIXIE_DRAIN_SECONDS": "2.5"}, 2.5),
        ({"FIXIE_DATABASE_URL": "postgresql://a/b", "FIXIE_SECRET_KEY": "x", "FIXIE_DRAIN_SECONDS": "0"}, 0),
    ],
)
def test_it_drains_where_others_share_the_database(environment: dict[str, str], seconds: float) -> None:
    assert from_environment(environment).drain_seconds == seconds


@pytest.mark.parametrize(
    ("environment", "shows"),
    [
        ({}, True),
        ({"FIXIE_PUBLIC_URL": "https://fixie.example.com"}, False),
        ({"FIXIE_PUBLIC_URL": "https://fixie.example.com", "FIXIE_METRICS": "1"}, True),
    ],
)
def test_metrics_are_for_this_machine_unless_set_otherwise(environment: dict[str, str], shows: bool) -> None:
    assert from_environment(environment).shows_metrics is shows


def test_a_drain_time_that_is_none_is_refused() -> None:
    with pytest.raises(errors.ConfigurationError, match="FIXIE_DRAIN_SECONDS"):
        from_environment({"FIXIE_DRAIN_SECONDS": "soon"})
