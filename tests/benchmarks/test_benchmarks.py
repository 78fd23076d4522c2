"""The cheap rows in quick mode: that each is measured, not how fast anything is."""

import json
import pathlib
import subprocess
import sys

_ROOT = pathlib.Path(__file__).parents[2]


def _run(*arguments: str) -> str:
    command = [sys.executable, "-m", "benchmarks", "--quick", *arguments]
    return subprocess.run(command, cwd=_ROOT, check=True, capture_output=True, text=True, timeout=100).stdout


def test_every_cheap_row_has_a_ratio_to_its_floor() -> None:
    rows = json.loads(_run("--json", "query", "func", "graphql", "imports", "written"))

    assert len(rows) >= 10
    assert all(row["ratio"] > 0 for row in rows), rows


def test_the_table_says_whether_the_budget_is_kept() -> None:
    head, _, *rows = _run("install").splitlines()

    assert [cell.strip() for cell in head.split("|")] == [
        "what",
        "floor",
        "ours",
        "ratio",
        "budget",
        "verdict",
    ]
    verdicts = [row.split("|")[-1].split()[0] for row in rows if "|" in row]  # below them are notes
    assert verdicts
    assert set(verdicts) <= {"within", "OVER"}
