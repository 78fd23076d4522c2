"""A platform and a deployed agent, each a process, and the platform is killed meanwhile."""

import io
import pathlib
import re
import signal
import subprocess
import sys
import tarfile
import urllib.parse
from collections.abc import Iterator

import pytest
import requests
from free_ports import free_port

from fixieai import testing
from fixieai.client.client import FixieClient
from fixieai.platform import serving

EXAMPLE = pathlib.Path(__file__).parents[3] / "examples" / "calendar"
QUESTION = "What is on my calendar on Tuesday?"


class Home:
    """A platform that is always at the same port, in a home that outlives its process."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "fixieai.cli.main", "platform", "serve", "--port", str(self.port)]
        self.process = subprocess.Popen(
            [*command, "--home", str(self.folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        url = self.process.stdout.readline().strip()
        self.client = FixieClient(serving.local_key(self.folder), api_url=url)

    def end(self, number: int) -> None:
        self.process.send_signal(number)
        self.process.communicate(timeout=60)

    def kill_and_start(self) -> None:
        self.end(signal.SIGKILL)
        self.start()

    def ask(self) -> str:
        return self.client.create_session("local/calendar").query(QUESTION)


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Iterator[Home]:
    home = Home(tmp_path / "home")
    yield home
    home.end(signal.SIGTERM)


def package(calendar_url: str) -> io.BytesIO:
    files = {
        "agent/agent.yaml": (EXAMPLE / "agent.yaml").read_text("utf-8"),
        "agent/main.py": (EXAMPLE / "main.py").read_text("utf-8"),
        "agent/.env": f"CALENDAR_URL={calendar_url}\n",
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    packed.seek(0)
    return packed


def allow(link: str) -> str:
    """Ada opens the link and allows it; where she is sent then."""
    form = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(link).query)) | {"answer": "allow"}
    return requests.post(link, data=form, timeout=60, allow_redirects=False).headers["Location"]


def test_neither_the_way_nor_the_permission_is_lost_with_the_platform(home: Home) -> None:
    with testing.load(EXAMPLE / "calendar_service.py").running() as calendar_url:
        home.client.create_agent("calendar", "Calendar", "")
        home.client.deploy_agent("calendar", package(calendar_url))
        (link,) = re.findall(r"http\S+", home.ask())

        home.kill_and_start()
        page = requests.get(allow(link), timeout=60)
        assert (page.status_code, "You are connected" in page.text) == (200, True)
        assert home.ask() == "12:30 Lunch with Charles"

        home.kill_and_start()
        assert home.ask() == "12:30 Lunch with Charles"
