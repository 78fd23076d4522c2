"""What pages list is what there is: routes, limits, public names, providers."""

import pathlib
import re
import tomllib

import pytest

import fixieai
from fixieai import errors, testing
from fixieai.llm.providers import DEFAULT_OPENAI_MODEL, PROVIDERS
from fixieai.llm.settings import CallLimits
from fixieai.platform.app import ROUTES
from fixieai.platform.settings import DailyLimits, QueryLimits, from_environment
from fixieai.web import problems

DOCS = pathlib.Path(__file__).parents[2] / "docs"
_ROUTE = re.compile(r"`(GET|POST|PUT|PATCH|DELETE) (/[^` ]*)`")


def page(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def numbers(text: str) -> dict[str, float]:
    """`FIXIE_...` in a table, with the default beside it."""
    return {
        name: float(value) for name, value in re.findall(r"^\| `(FIXIE_\w+)` \| (\d+) \|", text, re.MULTILINE)
    }


def test_every_route_of_the_platform_is_described_and_no_other() -> None:
    described = page("http.md").partition("## Agents in any language")[0]

    there = {
        (method, re.sub(r":\w+}", "}", route.path))
        for route in ROUTES
        for method in (route.methods or set()) - {"HEAD"}
    }

    assert set(_ROUTE.findall(described)) == there


def test_every_public_route_is_under_that_heading() -> None:
    public = page("http.md").partition("### Without a key")[2].partition("### Errors")[0]

    assert {path for _, path in _ROUTE.findall(public)} == {
        route.path for route in ROUTES if route.name == "public"
    }


def test_errors_are_listed_with_their_status() -> None:
    table = page("http.md").partition("### Errors")[2].partition("## Agents")[0]
    rows = re.findall(r"^\| (\d{3}) \| ([^|]+) \|", table, re.MULTILINE)
    listed = {(int(status), code) for status, codes in rows for code in re.findall(r"`(\w+)`", codes)}

    known = {
        (int(kind.status), kind.code)
        for module in (errors, problems)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, errors.FixieError)
    }
    assert listed <= known | {(503, "interrupted")}


def test_defaults_of_limits_are_true() -> None:
    limits, calls = QueryLimits(), CallLimits()

    assert numbers(page("platform.md")) == {
        "FIXIE_QUERY_SECONDS": limits.query_seconds,
        "FIXIE_AGENT_SECONDS": limits.agent_seconds,
        "FIXIE_MAXIMUM_STEPS": limits.steps,
        "FIXIE_MAXIMUM_HOPS": limits.hops,
        "FIXIE_QUERY_TOKENS": limits.tokens,
    }
    daily = DailyLimits()
    assert numbers(page("limits.md")) == {
        "FIXIE_DAILY_QUERIES": daily.queries,
        "FIXIE_DAILY_STORAGE_CALLS": daily.storage_calls,
        "FIXIE_DAILY_TOKENS": daily.tokens or 0,
        "FIXIE_DAILY_AGENT_TOKENS": daily.agent_tokens or 0,
        "FIXIE_DAILY_DOLLARS": daily.dollars or 0,
    }
    kept = from_environment({}).kept_days
    assert numbers(page("retention.md")) == {
        "FIXIE_KEEP_SESSIONS_DAYS": kept.sessions or 0,
        "FIXIE_KEEP_MESSAGES_DAYS": kept.messages or 0,
        "FIXIE_KEEP_REVISIONS_DAYS": kept.revisions or 0,
        "FIXIE_KEEP_USAGE_DAYS": kept.usage,
    }
    quota = from_environment({}).storage_quota
    assert numbers(page("oauth.md")) == {
        "FIXIE_STORAGE_KEYS": quota.keys,
        "FIXIE_STORAGE_BYTES": quota.bytes,
    }
    assert numbers(page("models.md")) == {
        "FIXIE_LLM_CONNECT_SECONDS": calls.connect_seconds,
        "FIXIE_LLM_FIRST_TOKEN_SECONDS": calls.first_token_seconds,
        "FIXIE_LLM_BETWEEN_TOKENS_SECONDS": calls.between_tokens_seconds,
        "FIXIE_LLM_TOTAL_SECONDS": calls.total_seconds,
        "FIXIE_LLM_RETRIES": calls.retries,
        "FIXIE_LLM_LONGEST_WAIT_SECONDS": calls.longest_wait_seconds,
        "FIXIE_LLM_STREAM": 1,
    }


def test_every_dependency_has_its_row_and_no_other() -> None:
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    needed = [*project["dependencies"], *extras["postgres"], *extras["s3"], *extras["workflows"]]
    table = page("architecture.md").partition("## Dependencies")[2].partition("## Budgets")[0]
    heading, *rows = re.findall(r"^\| ([\w-]+) \|(?:[^|\n]+\|){5}$", table, re.MULTILINE)

    assert heading == "package"
    assert rows == sorted(re.split(r"[^\w-]", each)[0] for each in needed)


@pytest.mark.parametrize("owner", PROVIDERS)
def test_every_provider_has_its_row(owner: str) -> None:
    provider = PROVIDERS[owner]
    (row,) = re.findall(rf"^\| `{owner}` \|.*$", page("models.md"), re.MULTILINE)

    assert f"`{provider.key_variable}`" in row
    assert ("not needed" in row) is not provider.needs_key
    assert row.endswith(f"| {provider.rendering} |")


def test_the_default_model_is_the_one_that_is_named() -> None:
    assert f"OpenAI's `{DEFAULT_OPENAI_MODEL.removeprefix('openai/')}`" in page("models.md")


def test_every_public_name_has_its_reference() -> None:
    reference = page("reference.md")
    names = [f"fixieai.{name}" for name in fixieai.__all__ if name != "__version__"]
    names += [f"fixieai.testing.{name}" for name in testing.__all__]

    missing = [name for name in names if f"::: {name}\n" not in reference]

    assert missing == ["fixieai.DocumentCorpus"]  # the same class as UrlDocumentCorpus, and the page says so
