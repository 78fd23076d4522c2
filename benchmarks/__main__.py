"""`python -m benchmarks [row ...] [--quick] [--json]`."""

import argparse
import dataclasses
import json
import signal
import sys

from benchmarks.rows import ON_DEMAND, ROWS
from benchmarks.table import Row, render


def main() -> None:
    arguments = _parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the children are ended, too
    rows: list[Row] = []
    for name in arguments.rows or ROWS:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        rows += {**ROWS, **ON_DEMAND}[name](arguments.quick)
    print(json.dumps([_as_json(row) for row in rows], indent=2) if arguments.json else render(rows))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="What the platform costs, each figure beside a floor measured in the same run.",
    )
    named = f"of {', '.join(ROWS)}; and {', '.join(ON_DEMAND)}, only when it is named"
    parser.add_argument("rows", nargs="*", choices=[*ROWS, *ON_DEMAND, []], metavar="row", help=named)
    parser.add_argument(
        "--quick", action="store_true", help="few repetitions: shows that it works, not how fast"
    )
    parser.add_argument("--json", action="store_true", help="the table as JSON")
    return parser


def _as_json(row: Row) -> dict[str, object]:
    return {**dataclasses.asdict(row), "ratio": row.ratio, "verdict": row.verdict}


if __name__ == "__main__":
    main()
