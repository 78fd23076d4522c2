"""What one stored query writes to the disk."""

import pathlib
import subprocess
import sys
import tempfile

from benchmarks import system
from benchmarks.processes import ROOT
from benchmarks.table import Row


def measure(quick: bool) -> list[Row]:
    queries = 20 if quick else 500
    with tempfile.TemporaryDirectory(prefix="fixie-benchmark-") as folder:
        command = [sys.executable, "-m", "benchmarks.servers.commits", folder, str(queries)]
        floor = float(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
    with system.running(system.FEW_SHOT) as running:
        running.ask()
        written_before, kept_before = running.platform.written_bytes(), _kept(running.home)
        for _ in range(queries):
            running.ask()
        written = (running.platform.written_bytes() - written_before) / queries
        kept = (_kept(running.home) - kept_before) / queries
    return [
        Row(
            "written per query",
            "KiB",
            ours=written / 1024,
            floor=floor / 1024,
            budget=40,
            note=f"A new session and 4 messages. The database and its log grew by {kept / 1024:.1f} KiB per "
            "query. The floor is five rows, each committed by itself.",
        )
    ]


def _kept(home: pathlib.Path) -> int:
    return sum(path.stat().st_size for path in home.glob("fixie.db*"))
