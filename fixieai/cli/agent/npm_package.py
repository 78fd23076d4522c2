"""What is deployed of an agent written for Node.js: what `npm pack` makes of its folder."""

import pathlib
import shutil
import subprocess
import tarfile

from fixieai import errors
from fixieai.cli.agent.code_package import Entry

MANIFEST = "package.json"
_SECONDS = 300


def pack(folder: pathlib.Path, target: pathlib.Path) -> tuple[pathlib.Path, list[Entry]]:
    """Packs the npm package in `folder` into the empty folder `target`; gives the file, and what is in it.

    Raises:
        ConfigurationError: there is no npm here, or it refused; the message holds what it said.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise errors.ConfigurationError(
            f"{folder / MANIFEST} makes this an agent for Node.js, and `npm`, which packs those, is not "
            "installed."
        )
    command = [npm, "pack", "--loglevel=error", f"--pack-destination={target.resolve()}"]
    try:
        done = subprocess.run(  # noqa: S603 - fixed words and a path of ours
            command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise errors.ConfigurationError(f"npm pack took more than {_SECONDS} seconds.") from None
    if done.returncode != 0:
        raise errors.ConfigurationError(f"npm pack failed in {folder}:\n{done.stderr.strip()}")
    (packed,) = target.glob("*.tgz")
    with tarfile.open(packed) as archive:
        return packed, [Entry(member.name, b"", member.size) for member in archive]
