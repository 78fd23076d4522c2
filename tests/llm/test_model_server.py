"""The scripted server from a shell, and its script in JSON."""

import json
import pathlib
import subprocess
import sys
import urllib.request

import pytest

from fixieai.testing.model_server import (
    BreaksOff,
    Calls,
    Fails,
    Garbage,
    Hangs,
    NoChoices,
    Says,
    reply_from_json,
)


@pytest.mark.parametrize(
    ("value", "reply"),
    [
        ({"says": "A: 12", "ignores_stop": True}, Says("A: 12", ignores_stop=True)),
        ({"calls": [{"name": "roll", "arguments": "{}"}]}, Calls([("roll", "{}")])),
        ({"fails": 429, "headers": {"Retry-After": "1"}}, Fails(429, {"Retry-After": "1"})),
        ({"garbage": "<html>"}, Garbage(b"<html>")),
        ({"breaks_off": "half", "is_clean": True}, BreaksOff("half", is_clean=True)),
        ({"hangs": ""}, Hangs()),
        ({"no_choices": True}, NoChoices()),
    ],
)
def test_every_reply_has_a_form_in_json(value: dict[str, object], reply: object) -> None:
    assert reply_from_json(value) == reply


@pytest.mark.parametrize("value", [{}, {"sings": "la"}, {"says": "x", "loudly": True}, {"calls": [{}]}])
def test_what_is_no_reply_is_refused(value: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not a scripted reply"):
        reply_from_json(value)


def test_it_runs_from_a_shell(tmp_path: pathlib.Path) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps([{"says": "A: 12"}]))
    command = [sys.executable, "-m", "fixieai.testing.model_server", "--script", str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            base_url = process.stdout.readline().strip()
            body = json.dumps({"model": "m", "messages": []}).encode()
            headers = {"Content-Type": "application/json"}
            request = urllib.request.Request(f"{base_url}/chat/completions", body, headers)
            with urllib.request.urlopen(request, timeout=60) as response:
                assert json.load(response)["choices"][0]["message"]["content"] == "A: 12"
            with urllib.request.urlopen(base_url.removesuffix("v1") + "requests", timeout=60) as response:
                assert [row["body"]["model"] for row in json.load(response)] == ["m"]
        finally:
            process.terminate()
