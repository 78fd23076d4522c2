"""Every variable that the package reads is documented, and every documented one is read."""

import ast
import pathlib
import re

from fixieai.llm.providers import PROVIDERS

ROOT = pathlib.Path(__file__).parents[2]
_OURS = re.compile(r"FIXIE_[A-Z]+(?:_[A-Z]+)*|OPENAI_[A-Z]+(?:_[A-Z]+)*|AWS_[A-Z]+(?:_[A-Z]+)*|NO_COLOR")
_DOCUMENTED = re.compile(r"`((?:[A-Z][A-Z0-9]*_)+[A-Z]+)(?:=[^`]*)?`")


def texts(file: pathlib.Path) -> set[str]:
    """Every string in the code of a module, and names that it looks up in an environment."""
    nodes = ast.walk(ast.parse(file.read_text("utf-8")))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def read_variables() -> set[str]:
    """Names that stand alone in a string: variables are looked up so. Providers' names are made."""
    found = {text for file in (ROOT / "fixieai").rglob("*.py") for text in texts(file)}
    of_providers = {provider.key_variable for provider in PROVIDERS.values()}
    of_providers |= {f"{owner.upper()}_BASE_URL" for owner in PROVIDERS if owner != "custom"}
    return {text for text in found if _OURS.fullmatch(text)} | of_providers


def looked_up(file: pathlib.Path) -> set[str]:
    """Literal names in `environ.get(...)`, `environ[...]`, `getenv(...)`, `environment.get(...)`.

    In capitals: models have environments, too, whose `type` is asked for.
    """
    pattern = r"""(?:environ|environment)(?:\.get\(|\[)\s*["']([A-Z]\w*)["']|getenv\(\s*["'](\w+)["']"""
    return {name for found in re.findall(pattern, file.read_text("utf-8")) for name in found if name}


def documented_variables() -> set[str]:
    pages = [page.read_text("utf-8") for page in (ROOT / "docs").glob("*.md")]
    return {name for page in pages for name in _DOCUMENTED.findall(page)}


def test_what_is_read_is_documented() -> None:
    undocumented = read_variables() - documented_variables()

    assert not undocumented


def test_what_is_documented_is_read() -> None:
    names = {name for name in documented_variables() if not name.startswith("ERR_")}

    assert not names - read_variables()


def test_no_variable_has_a_name_of_another_kind() -> None:
    names = {name for file in (ROOT / "fixieai").rglob("*.py") for name in looked_up(file)}

    assert names
    assert names <= read_variables()
