"""The command line as people run it: a process with arguments, an environment, a folder."""

import os
import pathlib
import subprocess
import sys
from dataclasses import dataclass, field

import pytest

FIXIE = (sys.executable, "-m", "fixieai.cli.main")
SECONDS = 60


def clean_environment(**variables: str) -> dict[str, str]:
    """This environment without anything of ours, and with `variables`."""
    ours = ("FIXIE_", "OPENAI_", "NO_COLOR")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    # The command line looks for no model but the offline one.
    return {**kept, "FIXIE_DEFAULT_MODEL": "few-shot", **variables}


@dataclass
class CommandLine:
    """Runs `fixie` with `variables` in `folder`."""

    folder: pathlib.Path
    variables: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str, answers: str = "", code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*FIXIE, *arguments],
            input=answers,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            cwd=self.folder,
            env=clean_environment(**self.variables),
            check=False,
        )
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*FIXIE, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=clean_environment(**self.variables),
        )


@pytest.fixture
def fixie(tmp_path: pathlib.Path) -> CommandLine:
    """Nobody's machine: no key, and nothing running where the platform should be."""
    (tmp_path / "work").mkdir()
    return CommandLine(
        tmp_path / "work",
        {
            "FIXIE_HOME": str(tmp_path / "home"),
            "FIXIE_CONFIG_PATH": str(tmp_path / "config.yaml"),
            "FIXIE_API_URL": "http://127.0.0.1:9",
        },
    )
