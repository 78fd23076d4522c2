import importlib
import pathlib
import subprocess
import sys
import tomllib

import pytest

import fixieai
import fixieai.agents

_AUTHOR = {
    "AgentQuery",
    "AgentResponse",
    "CodeShotAgent",
    "CorpusDocument",
    "CorpusPage",
    "CorpusPartition",
    "CorpusRequest",
    "CorpusResponse",
    "DocumentCorpus",
    "Embed",
    "LlmSettings",
    "Message",
    "OAuthHandler",
    "OAuthParams",
    "StandaloneAgent",
    "UrlDocumentCorpus",
    "UserStorage",
}
_CLIENT = {"FixieClient", "FixieEnvironment", "get_agents", "get_client", "get_embeds", "query"}
_HEAVY = ("openai", "aiohttp", "rich", "uvicorn", "google_auth_oauthlib", "sqlalchemy", "starlette")


def test_the_package_exports_what_programs_import_from_it() -> None:
    assert set(fixieai.__all__) == _AUTHOR | _CLIENT | {"__version__"}
    assert set(fixieai.__all__) <= set(dir(fixieai))
    for name in fixieai.__all__:
        assert getattr(fixieai, name) is not None


def test_star_import_gives_every_name() -> None:
    names: dict[str, object] = {}
    exec("from fixieai import *", names)

    assert set(fixieai.__all__) <= set(names)


def test_a_name_is_one_object_at_every_path() -> None:
    for name in _AUTHOR:
        assert getattr(fixieai, name) is getattr(fixieai.agents, name)


def test_agents_export_two_names_more() -> None:
    assert set(fixieai.agents.__all__) == _AUTHOR | {"AgentBase", "CustomCorpus"}


@pytest.mark.parametrize(
    "name", ["AgentError", "CustomCorpus", "DocumentLoader", "FewshotLinePattern", "token"]
)
def test_names_of_older_documents_are_found_but_not_exported(name: str) -> None:
    assert getattr(fixieai, name) is getattr(fixieai.agents, name)
    assert name not in fixieai.__all__


def test_other_names_do_not_exist() -> None:
    with pytest.raises(AttributeError, match="no attribute 'VerifiedTokenClaims'"):
        _ = fixieai.VerifiedTokenClaims
    assert not hasattr(fixieai, "__path__x")


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("agent_base", ["AgentBase"]),
        ("agent_func", ["AgentCorpusFunc", "AgentFunc", "AgentQueryFunc"]),
        ("api", ["AgentError", "AgentQuery", "AgentResponse", "AgentResponseGenerator", "Embed", "Message"]),
        ("code_shot", ["CodeShotAgent", "FewshotLinePattern", "_split_few_shots"]),
        ("corpora", ["CustomCorpus", "DocumentCorpus", "DocumentLoader", "UrlDocumentCorpus"]),
        ("exceptions", ["AgentException", "UNHANDLED_EXCEPTION_RESPONSE_TEXT"]),
        ("llm_settings", ["LlmSettings"]),
        ("metadata", ["CodeShotAgentMetadata", "StandaloneAgentMetadata"]),
        ("oauth", ["OAuthHandler", "OAuthParams"]),
        ("openai_proxy", ["_current_request_token", "enable_openai_proxy"]),
        ("standalone", ["StandaloneAgent"]),
        ("token", ["VerifiedTokenClaims"]),
        ("user_storage", ["UserStorage", "from_json", "from_json_type", "to_json", "to_json_type"]),
        ("utils", ["FewshotLinePattern", "_validate_few_shot_prompt", "strip_prompt_lines"]),
    ],
)
def test_documented_modules_hold_their_names(module: str, names: list[str]) -> None:
    loaded = importlib.import_module(f"fixieai.agents.{module}")

    assert [name for name in names if not hasattr(loaded, name)] == []


def test_the_corpus_types_have_one_name_each_but_for_the_old_one() -> None:
    assert fixieai.DocumentCorpus is fixieai.UrlDocumentCorpus


def test_submodules_are_attributes_without_being_imported() -> None:
    program = "import fixieai; print(fixieai.agents.api.Message.__name__, fixieai.constants.FIXIE_API_URL)"

    assert _run(program) == "Message http://127.0.0.1:8180"


@pytest.mark.parametrize(
    "statement", ["import fixieai", "from fixieai import CodeShotAgent, FixieClient, OAuthHandler"]
)
def test_importing_loads_nothing_that_only_some_programs_need(statement: str) -> None:
    loaded = _run(f"import sys; {statement}; print(*[name for name in {_HEAVY} if name in sys.modules])")

    assert loaded == ""


def test_the_bare_import_leaves_even_the_agents_for_later() -> None:
    assert (
        _run("import sys, fixieai; print('pydantic' in sys.modules, 'requests' in sys.modules)")
        == "False False"
    )


def test_an_agent_is_made_without_what_only_requests_need() -> None:
    program = "import sys, fixieai; fixieai.CodeShotAgent, fixieai.OAuthHandler, fixieai.UserStorage"

    assert _run(f"{program}; print('requests' in sys.modules, 'yaml' in sys.modules)") == "False False"


def _run(program: str) -> str:
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    return run.stdout.strip()


def test_the_version_is_that_of_the_distribution() -> None:
    pyproject = pathlib.Path(__file__).parents[2] / "pyproject.toml"

    assert tomllib.loads(pyproject.read_text("utf-8"))["project"]["version"] == fixieai.__version__
