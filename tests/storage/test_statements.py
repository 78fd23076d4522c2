"""The `.sql` files against the modules that use them, and against the indexes."""

import importlib
import pathlib
import re
import sqlite3

import pytest

from fixieai import storage
from fixieai.storage import statements

_FOLDER = pathlib.Path(storage.__file__).parent
_NOUNS = sorted(path.stem for path in (_FOLDER / "sql").glob("*.sql"))
_PARAMETER = re.compile(r":(\w+)")
# At most two pages of agents; a handful of keys.
_MAY_SORT = {("agents", "page"), ("agents", "samples"), ("signing_keys", "all")}
# What is small by its nature, or bounded by the statement itself.
_MAY_SCAN = {
    "SCAN agents USING INDEX agents_published",  # up to a limit
    "SCAN browser_codes",  # a hundred at most
    "SCAN executors",  # one a process
    "SCAN oldest",  # one slice
    "SCAN own",
    "SCAN package_holds USING INDEX package_holds_of_package",  # packages that are being uploaded
    "SCAN published_ones",
    "SCAN queries USING INDEX queries_running",  # holds the running ones alone
    "SCAN revisions USING INDEX revisions_pending",  # holds the pending ones alone
    "SCAN seen",
    "SCAN slice",
    "SCAN sign_in_attempts USING COVERING INDEX sign_in_attempts_by_time",  # as many as there is room for
    "SCAN signing_keys",
    "SCAN usage USING COVERING INDEX sqlite_autoindex_usage_1",  # what a day's removal would take, when asked
}
# The check of a whole database, and the job of the night, which goes in slices.
_MAY_WALK = ("integrity", "retention")


@pytest.mark.parametrize("noun", _NOUNS)
def test_every_statement_is_used_and_every_used_one_exists(noun: str) -> None:
    module = importlib.import_module(f"fixieai.storage.{noun}")
    text = pathlib.Path(module.__file__ or "").read_text("utf-8")
    known = set(statements.load(noun))
    assert set(re.findall(r'_SQL\["(\w+)"\]', text)) <= known
    # As a whole, or put together from a verb and a noun: f"remove_{kind}".
    named = {name for name in known if f'"{name}"' in text or f'"{name.partition("_")[2]}"' in text}
    assert named == known


@pytest.mark.parametrize("noun", [noun for noun in _NOUNS if noun not in _MAY_WALK])
def test_no_statement_walks_a_whole_table(connection: sqlite3.Connection, noun: str) -> None:
    for name, sql in statements.load(noun).items():
        params = dict.fromkeys(_PARAMETER.findall(sql), 1)
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", params)]
        scans = {step for step in plan if step.startswith("SCAN") and "CONSTANT ROW" not in step}
        assert scans <= _MAY_SCAN, (name, plan)
        is_sorted = any("TEMP B-TREE FOR ORDER BY" in step for step in plan)
        assert not is_sorted or (noun, name) in _MAY_SORT, (name, plan)


def test_sql_exists_only_here() -> None:
    for path in _FOLDER.parent.rglob("*.py"):
        if path.parent.name not in {"storage", "migrations"}:
            assert not re.search(r"\b(INSERT INTO|DELETE FROM|SELECT \w+ FROM)\b", path.read_text("utf-8")), (
                path
            )


def test_a_list_becomes_parameters_of_few_different_numbers() -> None:
    sql, params = statements.with_list("SELECT x FROM t WHERE x IN (:ids) AND y = :y", "ids", [7, 8, 9])

    assert sql == "SELECT x FROM t WHERE x IN (:ids_0, :ids_1, :ids_2, :ids_3) AND y = :y"
    assert params == {"ids_0": 7, "ids_1": 8, "ids_2": 9, "ids_3": 9}
    texts = {statements.with_list("IN (:ids)", "ids", list(range(1, count)))[0] for count in range(2, 1001)}
    assert len(texts) == 11


def test_two_statements_never_share_a_name(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "_FOLDER", tmp_path)
    (tmp_path / "twice.sql").write_text("-- name: get\nSELECT 1;\n\n-- name: get\nSELECT 2;\n")

    with pytest.raises(ValueError, match=r"twice\.sql"):
        statements.load("twice")
