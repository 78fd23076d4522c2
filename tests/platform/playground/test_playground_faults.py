"""What the web page does when something fails, breaks off or dies."""

import contextlib
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator

from free_ports import free_port

from fixieai import testing
from fixieai.platform import serving


def test_somebody_who_stopped_waiting_finds_the_answer_later(page, teller) -> None:
    page.open("/agents/local/teller")
    page.ask("Tell a story")
    teller.go_on()
    page.wait(lambda: page.texts(".answer .text") == ["once"])
    page.click("#send", "Stop waiting")
    page.click("#status button", "Look for the answer")
    page.wait(lambda: page.texts("#status") == ["Waiting for the answer…"])
    teller.go_on(2)
    page.wait_for_answer("once upon a time")


def test_after_a_broken_stream_the_answer_is_found_in_the_session(page, teller) -> None:
    page.open("/agents/local/teller")
    page.run("""
        const real = window.fetch;
        window.fetch = async (path, options) => {
          const response = await real(path, options);
          if (path !== "/api/agents/None") return response;
          const reader = response.body.getReader();
          const { value } = await reader.read();
          let isFirst = true;
          return new Response(new ReadableStream({
            pull(controller) {
              if (isFirst) controller.enqueue(value);
              else { reader.cancel(); controller.error(new TypeError("network error")); }
              isFirst = false;
            },
          }));
        };
    """)
    page.ask("Tell a story")
    teller.go_on(3)
    page.wait_for_answer("once upon a time")

    assert len(page.all(".turn")) == 1


def test_a_failed_question_says_why_and_can_be_asked_again(page) -> None:
    page.open("/agents/local/absent")
    assert "This agent is offline. Start its program." in page.texts(".empty .note")
    page.ask("Hello?")
    page.wait(
        lambda: page.texts(".answer .note p") == ["The agent local/absent is not running. Start its program."]
    )

    page.click(".answer button", "Ask again")

    page.wait(lambda: len(page.texts(".answer .note p")) == 2)


def test_a_question_that_is_refused_is_not_repeated(page) -> None:
    page.expects_failures = True
    page.open("/agents/local/dice")
    page.ask("@nobody/here Roll a d20")
    page.wait(lambda: page.texts(".answer .note button") == ["Try again"])
    page.click(".answer .note button")
    page.wait(lambda: page.texts(".answer .note p"))
    assert len(page.all(".turn")) == 1


@contextlib.contextmanager
def platform_program(home: pathlib.Path, port: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A platform in a process of its own, and its address."""
    command = [sys.executable, "-m", "fixieai.cli.main", "platform", "serve"]
    command += ["--port", str(port), "--home", str(home)]
    environment = os.environ | {"FIXIE_DEFAULT_MODEL": "few-shot"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def test_a_platform_that_is_killed_and_comes_back_is_met_again(
    page, another_teller, tmp_path: pathlib.Path
) -> None:
    page.expects_failures = True
    with contextlib.ExitStack() as stack:
        port = free_port()
        with platform_program(tmp_path, port) as (process, url):
            page.platform = testing.Platform(url, serving.local_key(tmp_path), stack)
            page.platform.serve(another_teller.agent(), "teller")
            page.open("/agents/local/teller")
            page.ask("Tell a story")
            another_teller.go_on()
            page.wait(lambda: page.texts(".answer .text") == ["once"])
            process.kill()
            page.wait(lambda: page.texts("#status") == ["The platform does not answer. Trying again…"])
        with platform_program(tmp_path, port):
            another_teller.go_on(5)  # two of them are for the first asker, who is gone
            page.wait_for_answer("once upon a time")
            assert len(page.all(".turn")) == 1


def test_a_question_asked_with_a_key_that_ended_is_still_there_after_signing_in(page) -> None:
    page.expects_failures = True
    page.open("/agents/local/dice")
    page.chromium.execute_cdp_cmd("Network.enable", {})
    headers = {"Authorization": "Bearer ended"}
    page.chromium.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": headers})
    page.ask("Roll a d20")
    page.wait(lambda: page.texts("#sign-in"))
    page.chromium.execute_cdp_cmd("Network.disable", {})

    page.chromium.get(page.link("/agents/local/dice"))
    page.click("#send", "Send")

    page.wait_for_answer("You rolled a 20!")
