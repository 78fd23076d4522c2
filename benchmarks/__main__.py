"""`python -m benchmarks [row ...] [--quick] [--json]`."""

import argparse
import dataclasses
import json
import signal
import sys

from benchmarks.rows import ROWS
from benchmarks.table import Row, render


def main() -> None:
    arguments = _parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the children are ended, too
    rows: list[Row] = []
    for name in arguments.rows or ROWS:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        rows += ROWS[name](arguments.quick)
    print(json.dumps([_as_json(row) for row in rows], indent=2) if arguments.json else render(rows))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="What the platform costs, each figure beside a floor measured in the same run.",
    )
    parser.add_argument("rows", nargs="*", choices=[*ROWS, []], metavar="row", help=f"of {', '.join(ROWS)}")
    parser.add_argument(
        "--quick", action="store_true", help="few repetitions: shows that it works, not how fast"
    )
    parser.add_argument("--json", action="store_true", help="the table as JSON")
    return parser


def _as_json(row: Row) -> dict[str, object]:
    return {**dataclasses.asdict(row), "ratio": row.ratio, "verdict": row.verdict}


if __name__ == "__main__":
    main()
