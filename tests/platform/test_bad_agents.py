"""Agents that are down, slow, or answer anything at all: a clear message in time, and never a hang."""

import contextlib
import http.server
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from fixieai import errors, testing
from fixieai.platform.agent_calls.fixie import AgentAddress, AgentCaller
from fixieai.platform.settings import QueryLimits
from fixieai.web import egress

HANDSHAKE = """
base_prompt: I break.
few_shots: ["Q: Break\\nAsk Func[break_it]: now\\nFunc[break_it] says: done\\nA: done"]
corpora: null
conversational: false
response_model: null
type: code_shot
"""
ANSWER = b'{"message": {"text": "fine", "embeds": {}}, "error": null}'
Handler = http.server.BaseHTTPRequestHandler


def answers(status: int, body: bytes, **headers: str) -> Callable[[Handler], None]:
    def answer(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def hangs(handler: Handler) -> None:
    time.sleep(30)


def hangs_up(handler: Handler) -> None:
    handler.close_connection = True


def drips_without_end(handler: Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(600):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)


@contextlib.contextmanager
def serving(get: Callable[[Handler], None], post: Callable[[Handler], None]) -> Iterator[str]:
    class Agent(Handler):
        protocol_version = "HTTP/1.0"

        def do_GET(self) -> None:  # noqa: N802 - the name http.server calls
            with contextlib.suppress(OSError):
                get(self)

        def do_POST(self) -> None:  # noqa: N802 - as above
            self.rfile.read(int(self.headers["Content-Length"]))
            with contextlib.suppress(OSError):
                post(self)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Agent) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def impatient() -> Iterator[testing.Platform]:
    with testing.platform(limits=QueryLimits(agent_seconds=1.0)) as platform:
        yield platform


@pytest.fixture(scope="module")
def patient() -> Iterator[testing.Platform]:
    with testing.platform() as platform:
        yield platform


@pytest.mark.parametrize(
    ("post", "said"),
    [
        (answers(500, b"Traceback: secret"), "status 500"),
        (answers(403, b'{"detail": "Invalid token"}'), "refused this platform's token"),
        (answers(302, b"", Location="http://169.254.169.254/"), "status 302"),
        (answers(200, b"fine"), "not a response"),
        (answers(200, b"[]"), "not a response"),
        (answers(200, b"{}"), "not a response"),
        (answers(200, b'{"message": {"text": null}}'), "not a response"),
        (answers(200, b'{"message": ' * 50_000), "not a response"),
        (answers(200, b"\x1f\x8b\x08\x00", Content_Encoding="gzip"), "not a response"),
        (answers(200, ANSWER + b" " * (9 * 2**20)), "more than 8388608 bytes"),
        (answers(200, ANSWER, Content_Length="100000"), "could not be reached"),
        (hangs_up, "could not be reached"),
    ],
)
def test_a_func_that_answers_badly_ends_the_query_with_a_message(patient, post, said) -> None:
    with serving(answers(200, HANDSHAKE.encode()), post) as url:
        patient.register("breaking", url)
        answer = patient.ask("breaking", "Break")

    assert answer.error == "agent_unavailable"
    assert said in answer.text
    assert "secret" not in answer.text


@pytest.mark.parametrize("post", [hangs, drips_without_end])
def test_a_func_that_does_not_end_its_answer_ends_the_query_in_time_with_a_message(impatient, post) -> None:
    with serving(answers(200, HANDSHAKE.encode()), post) as url:
        impatient.register("breaking", url)
        started = time.monotonic()
        answer = impatient.ask("breaking", "Break")

    assert time.monotonic() - started < 20
    assert answer.error == "agent_unavailable"
    assert "within 1 seconds" in answer.text


def test_a_standalone_agent_that_refuses_without_a_word_is_told_by_its_status(patient) -> None:
    with serving(answers(404, b""), answers(302, b"", Location="http://169.254.169.254/")) as url:
        patient.register("elsewhere", url)
        assert "status 302" in patient.ask("elsewhere", "Hello").text


def test_a_good_func_answers_after_all_of_these(patient) -> None:
    with serving(answers(200, HANDSHAKE.encode()), answers(200, ANSWER)) as url:
        patient.register("working", url)
        assert patient.ask("working", "Break").text == "fine"


def test_the_older_shape_of_an_answer_is_understood(patient) -> None:
    with serving(answers(404, b""), answers(200, b'{"text": "as in the old days"}')) as url:
        assert patient.register("old", url)["type"] == "unknown"
        assert patient.ask("old", "Hello").text == "as in the old days"


@pytest.mark.parametrize(
    "handshake",
    [
        b"- a list",
        b"{",
        b"\xff\xfe",
        b"type: strange",
        b"type: code_shot",
        b"type: code_shot\nbase_prompt: 5\nfew_shots: {}",
        b"!!python/object/apply:os.system ['true']",
        b"a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]",
        b"[" * 100_000,
        b"#" * (9 * 2**20),
    ],
)
def test_a_handshake_that_cannot_be_used_is_refused_with_its_reason(patient, handshake: bytes) -> None:
    with (
        serving(answers(200, handshake), answers(200, ANSWER)) as url,
        pytest.raises(OSError, match="502") as refused,
    ):
        patient.register("odd", url)

    assert "Traceback" not in str(refused.value)


def test_an_agent_that_cannot_be_reached_again_and_again_is_not_tried_for_a_while(patient) -> None:
    with serving(answers(200, HANDSHAKE.encode()), answers(200, ANSWER)) as url:
        patient.register("leaving", url)

    answers_given = [patient.ask("leaving", "Break") for _ in range(7)]

    assert all("could not be reached" in answer.text for answer in answers_given)


async def test_only_so_many_addresses_are_remembered(monkeypatch) -> None:
    monkeypatch.setattr("fixieai.platform.agent_calls.fixie._MOST_CIRCUITS", 3)
    policy = egress.EgressPolicy(allow_loopback=True)
    caller = AgentCaller(egress.build_session(policy), egress.build_session(policy))
    for port in range(1, 6):
        with pytest.raises(errors.AgentUnavailable):
            await caller.handshake(AgentAddress("ann/absent", f"http://127.0.0.1:{port}", "token", 10))
    await caller.close()

    assert len(caller._circuits) == 3
