"""Attachments over real HTTP: stored once, fetched without a key for ten minutes, gone with their session."""

import base64
import concurrent.futures
import contextlib
import hashlib
import json
import pathlib
import sqlite3
import time
from collections.abc import Iterator

import pytest
import requests

import fixieai
from fixieai import testing
from fixieai.llm.settings import ModelSettings
from fixieai.platform import embed_links, serving
from fixieai.platform.settings import Settings

REPORT = b"Total: 42 dollars\n" * 100
REPORT_URI = f"data:text/plain;base64,{base64.b64encode(REPORT).decode()}"
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SHOTS = """
Q: Read #report
Ask Func[read]: #report
Func[read] says: it holds text
A: it holds text

Q: Draw a chart
Ask Func[draw]: now
Func[draw] says: Here is #chart
A: Here is #chart
"""


class Reader:
    """Remembers what it was sent."""

    def __init__(self) -> None:
        self.seen: list[fixieai.Embed] = []
        self.read: list[bytes] = []

    def agent(self) -> fixieai.CodeShotAgent:
        agent = fixieai.CodeShotAgent("I read files.", SHOTS, conversational=True)

        @agent.register_func
        def read(query: fixieai.Message) -> str:
            self.seen += query.embeds.values()
            contents = [embed.content for embed in query.embeds.values()]
            self.read += contents
            return f"read {sum(map(len, contents))} bytes"

        @agent.register_func
        def draw(query: fixieai.Message) -> fixieai.Message:
            chart = fixieai.Embed("image/png")
            chart.content = PIXEL
            return fixieai.Message("Here is #chart", {"chart": chart})

        return agent


def echo(query: fixieai.Message) -> fixieai.Message:
    return fixieai.Message("the same", query.embeds)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return tmp_path_factory.mktemp("home_with_files")


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader()


@pytest.fixture(scope="module")
def platform(home: pathlib.Path, reader: Reader) -> Iterator[testing.Platform]:
    with contextlib.ExitStack() as stack:
        models = ModelSettings(default_model="few-shot")
        running = stack.enter_context(serving.background(Settings(home=home, port=0, models=models)))
        platform = testing.Platform(running.url, serving.local_key(home), stack)
        platform.serve(reader.agent(), "reader")
        platform.serve(fixieai.StandaloneAgent(echo), "echo")
        yield platform


def stored_files(home: pathlib.Path) -> set[str]:
    return {file.parent.name + file.name for file in (home / "blobs").rglob("*") if file.is_file()}


def new_session(http, agent: str = "reader") -> str:
    return http("POST", "/api/sessions", json={"frontendAgentId": agent}).json()["handle"]


def ask(
    http, text: str, embeds: dict[str, dict[str, str]], session: str | None = None, agent="reader"
) -> dict:
    body = {"message": {"text": text, "embeds": embeds}, "session": session}
    return http("POST", f"/api/agents/{agent}", json=body).json()


def upload(http, session: str, key: str, content: bytes, kind: str = "text/plain") -> requests.Response:
    path = f"/api/sessions/{session}/embeds?key={key}"
    return http("POST", path, data=content, headers={"Content-Type": kind})


def listed(http, session: str) -> list[dict]:
    return http("GET", f"/api/sessions/{session}/embeds").json()["embeds"]


def test_a_func_gets_an_address_and_reads_the_bytes_from_it(http, platform, reader: Reader) -> None:
    answer = ask(http, "Read #report", {"report": {"content_type": "text/plain", "uri": REPORT_URI}})

    assert answer["message"]["text"] == f"read {len(REPORT)} bytes"
    assert reader.read[-1] == REPORT
    assert reader.seen[-1].uri.startswith(f"{platform.url}/attachment/")


def test_bytes_are_stored_once_and_messages_only_refer_to_them(http, home: pathlib.Path) -> None:
    session = new_session(http)
    content = b"something that is said twice" * 50
    embed = {"content_type": "text/plain", "uri": f"data:;base64,{base64.b64encode(content).decode()}"}
    for _ in range(2):
        ask(http, "Read #report", {"report": embed}, session)

    assert hashlib.sha256(content).hexdigest() in stored_files(home)
    with contextlib.closing(sqlite3.connect(home / "fixie.db")) as database:
        rows = database.execute("SELECT embeds FROM messages WHERE embeds <> '{}'").fetchall()
        assert all("base64" not in embeds for (embeds,) in rows)
        assert database.execute("SELECT count(*) FROM content_holds").fetchone() == (0,)
    assert [each["embed"]["contentHash"] for each in listed(http, session)] == [
        hashlib.sha256(content).hexdigest()
    ] * 2


def test_what_a_func_attaches_is_fetched_without_a_key(http, platform) -> None:
    session = new_session(http)
    body = {"message": {"text": "Draw a chart"}, "session": session, "stream": True, "steps": True}
    lines = http.lines("/api/agents/reader", body)
    says = next(line for line in lines if line["type"] == "func_says")
    for chart in (says["message"]["embeds"]["chart"], lines[-1]["message"]["embeds"]["chart"]):
        answer = requests.get(chart["uri"], timeout=60)

        assert answer.content == PIXEL
        assert answer.headers["Content-Type"] == "image/png"
        assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''chart.png"
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    (only,) = listed(http, session)
    assert only["key"] == "chart"
    assert only["embed"]["sentBy"] == {"handle": "local/reader"}
    assert requests.get(only["embed"]["url"], timeout=60).content == PIXEL
    messages = http("GET", f"/api/sessions/{session}/messages").json()["messages"]
    assert requests.get(messages[-1]["embeds"]["chart"]["uri"], timeout=60).content == PIXEL


def test_an_address_that_an_agent_sends_back_is_the_same_embed(http, platform) -> None:
    session = new_session(http, "echo")
    sent = {"report": {"content_type": "text/plain", "uri": REPORT_URI}}
    answer = ask(http, "Say it", sent, session, "echo")
    (only,) = listed(http, session)
    assert requests.get(answer["message"]["embeds"]["report"]["uri"], timeout=60).content == REPORT

    elsewhere = new_session(http, "echo")
    ask(http, "Say it", answer["message"]["embeds"], elsewhere, "echo")
    http("DELETE", f"/api/sessions/{session}")
    (copy,) = listed(http, elsewhere)
    assert requests.get(copy["embed"]["url"], timeout=60).content == REPORT
    assert copy["embed"]["id"] != only["embed"]["id"]
    assert requests.get(only["embed"]["url"], timeout=60).status_code == 404


def test_addresses_elsewhere_stay_what_they_are(http) -> None:
    session = new_session(http, "echo")
    sent = {"far": {"content_type": "image/png", "uri": "https://example.com/far.png"}}
    assert ask(http, "Say it", sent, session, "echo")["message"]["embeds"] == sent
    (only,) = listed(http, session)
    assert (only["embed"]["url"], only["embed"]["contentHash"]) == ("https://example.com/far.png", None)


def test_an_uploaded_file_is_named_in_a_question(http, reader: Reader) -> None:
    session = new_session(http)
    large = bytes(range(256)) * 12_000  # does not stay in memory
    made = upload(http, session, "report", large, "application/octet-stream")

    assert made.status_code == 201
    assert made.json()["embed"]["size"] == len(large)
    assert requests.get(made.json()["embed"]["url"], timeout=60).content == large
    assert ask(http, "Read #report", {}, session)["message"]["text"] == f"read {len(large)} bytes"
    assert reader.read[-1] == large


def test_a_key_leads_to_what_was_uploaded_first(http) -> None:
    session = new_session(http)
    first = upload(http, session, "report", b"one")
    again = upload(http, session, "report", b"one")
    other = upload(http, session, "report", b"two")

    assert first.json()["embed"]["id"] == again.json()["embed"]["id"]
    assert other.status_code == 409
    assert "#report" in other.json()["error"]["message"]


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("", {}, 422),
        ("?key=", {}, 422),
        ("?key=a/b", {}, 422),
        ("?key=" + "k" * 65, {}, 422),
        ("?key=ok", {"Content-Type": "text/html<script>"}, 415),
        ("?key=ok", {"Content-Type": "nonsense"}, 415),
        ("?key=ok", {"Content-Encoding": "gzip"}, 415),
    ],
)
def test_uploads_that_cannot_be(http, query: str, headers: dict[str, str], status: int) -> None:
    path = f"/api/sessions/{new_session(http)}/embeds{query}"
    headers = {"Content-Type": "text/plain"} | headers
    assert http("POST", path, data=b"content", headers=headers).status_code == status


def test_a_body_that_grows_past_the_limit_is_refused_and_leaves_nothing(http, home: pathlib.Path) -> None:
    before = stored_files(home)
    piece = b"x" * 1024 * 1024
    session = new_session(http)
    with contextlib.suppress(requests.ConnectionError):  # the answer may come before all was sent
        answer = http(
            "POST",
            f"/api/sessions/{session}/embeds?key=big",
            data=(piece for _ in range(34)),
            headers={"Content-Type": "text/plain"},
        )
        assert answer.status_code == 413
    assert stored_files(home) == before
    assert listed(http, session) == []


@pytest.mark.parametrize(
    "uri", ["data:text/plain;base64,a*b", "data:nothing", "embed:1", "javascript:1", "file:///etc/passwd"]
)
def test_a_question_with_an_embed_that_cannot_be_read_is_refused(http, uri: str) -> None:
    body = {
        "message": {"text": "Read #report", "embeds": {"report": {"content_type": "text/plain", "uri": uri}}}
    }
    answer = http("POST", "/api/agents/reader", json=body)
    assert answer.status_code == 422
    assert "report" in answer.json()["error"]["message"]


def test_an_agent_cannot_refer_to_what_it_was_not_given(http, platform) -> None:
    session = new_session(http)
    (embed_id,) = (upload(http, session, "secret", b"secret").json()["embed"]["id"],)

    def refer(query: fixieai.Message) -> fixieai.Message:
        uris = [f"embed:{embed_id}", "file:///etc/passwd", "javascript:alert(1)"]
        return fixieai.Message(
            "look", {f"k{n}": fixieai.Embed("text/html", uri) for n, uri in enumerate(uris)}
        )

    platform.serve(fixieai.StandaloneAgent(refer), "refer")
    found = ask(http, "Refer", {}, agent="refer")["message"]["embeds"]
    assert {embed["uri"] for embed in found.values()} == {""}


def test_an_address_that_was_changed_or_has_ended_leads_nowhere(http, platform, monkeypatch) -> None:
    url = upload(http, new_session(http), "report", b"content").json()["embed"]["url"]
    start, _, token = url.rpartition("/")
    signed = bytearray(base64.urlsafe_b64decode(token))
    others = []
    for place in (0, 9, 17, -1):
        changed = signed.copy()
        changed[place] ^= 1
        others.append(base64.urlsafe_b64encode(changed).decode())
    refusals = [
        requests.get(f"{start}/{other}", timeout=60)
        for other in (*others, "x", token[:-4], token + "AAAA", "%00")
    ]
    now = time.time()
    monkeypatch.setattr(embed_links.time, "time", lambda: now + 601)
    refusals.append(requests.get(url, timeout=60))
    monkeypatch.undo()

    assert requests.get(url, timeout=60).content == b"content"
    assert {refusal.status_code for refusal in refusals} <= {404, 400}
    assert all(refusal.status_code == 404 for refusal in refusals if "%00" not in refusal.url)
    assert (
        len({refusal.json()["error"]["message"] for refusal in refusals if refusal.status_code == 404}) == 1
    )


def test_an_address_is_one_of_the_next_ten_minutes(http) -> None:
    url = upload(http, new_session(http), "report", b"content").json()["embed"]["url"]
    cached = requests.get(url, timeout=60).headers["Cache-Control"]
    assert 530 <= int(cached.partition("max-age=")[2].partition(",")[0]) <= 600


def test_a_session_takes_its_bytes_along_but_not_those_of_others(http, home: pathlib.Path) -> None:
    own, shared = b"only here" * 9, b"in both" * 9
    sessions = [new_session(http), new_session(http)]
    url = upload(http, sessions[0], "own", own).json()["embed"]["url"]
    for session in sessions:
        upload(http, session, "shared", shared)
    hashes = [hashlib.sha256(content).hexdigest() for content in (own, shared)]
    assert set(hashes) <= stored_files(home)

    http("DELETE", f"/api/sessions/{sessions[0]}")
    assert stored_files(home) & set(hashes) == {hashes[1]}
    assert requests.get(url, timeout=60).status_code == 404
    http("DELETE", f"/api/sessions/{sessions[1]}")
    assert stored_files(home) & set(hashes) == set()


def test_sessions_of_nobody_have_no_embeds(http) -> None:
    assert upload(http, "not-a-session", "report", b"x").status_code == 404
    assert http("GET", "/api/sessions/not-a-session/embeds").status_code == 404


def test_embeds_come_in_pages(http) -> None:
    session = new_session(http)
    for number in range(5):
        upload(http, session, f"k{number}", b"x")
    keys, after = [], ""
    while after is not None:
        page = http("GET", f"/api/sessions/{session}/embeds?limit=2{after and f'&after={after}'}").json()
        keys += [each["key"] for each in page["embeds"]]
        after = page["next"]
    assert keys == [f"k{number}" for number in range(5)]


def test_messages_of_earlier_versions_keep_their_embeds(http, home: pathlib.Path, reader: Reader) -> None:
    session = new_session(http)
    ask(http, "Read #nothing", {}, session)
    old = json.dumps({"old": {"content_type": "text/plain", "uri": "data:text/plain;base64,b2xk"}})
    with contextlib.closing(sqlite3.connect(home / "fixie.db")) as database, database:
        database.execute(
            "UPDATE messages SET embeds = ? WHERE type = 'query' AND session_id = "
            "(SELECT id FROM sessions WHERE handle = ?)",
            (old, session),
        )

    assert http("GET", f"/api/sessions/{session}/messages").json()["messages"][0]["embeds"] == json.loads(old)
    (only,) = listed(http, session)
    assert (only["key"], only["embed"]["url"]) == ("old", "data:text/plain;base64,b2xk")
    ask(http, "Read #old", {}, session)
    assert reader.read[-1] == b"old"


def test_an_address_of_somebody_elses_embed_is_not_taken_over(http, platform) -> None:
    url = upload(http, new_session(http), "report", b"not for ann").json()["embed"]["url"]
    ann = platform.add_user("ann")
    ann.serve(fixieai.StandaloneAgent(echo), "echo")
    session = ann.call("POST", "/api/sessions", {"frontendAgentId": "echo"})["handle"]
    message = {"text": "Say it", "embeds": {"report": {"content_type": "text/plain", "uri": url}}}
    with pytest.raises(requests.HTTPError, match="422"):
        ann.call("POST", "/api/agents/echo", {"message": message, "session": session})
    assert ann.call("GET", f"/api/sessions/{session}/embeds")["embeds"] == []


def test_the_same_bytes_come_and_go_in_many_sessions_at_once(http, home: pathlib.Path) -> None:
    contents = [bytes([number]) * 999 for number in range(2)]

    def come_and_go(turn: int) -> bool:
        content = contents[turn % 2]
        session = new_session(http)
        url = upload(http, session, "k", content).json()["embed"]["url"]
        is_there = requests.get(url, timeout=60).content == content
        return http("DELETE", f"/api/sessions/{session}").status_code == 204 and is_there

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        assert all(pool.map(come_and_go, range(60)))
    assert not stored_files(home) & {hashlib.sha256(content).hexdigest() for content in contents}


@pytest.mark.parametrize(
    "uri", ["data:text/plain;base64,a*b", "data:nothing", "http:/\0/x", "https://example.com/" + "x" * 9000]
)
def test_an_embed_of_an_agent_that_cannot_be_used_is_one_without_content(http, platform, uri: str) -> None:
    def odd(query: fixieai.Message) -> fixieai.Message:
        return fixieai.Message("odd", {"k\0ey" * 100: fixieai.Embed("text/\0plain" + "x" * 999, uri)})

    platform.serve(fixieai.StandaloneAgent(odd), "odd")
    session = new_session(http, "odd")
    answer = ask(http, "Odd", {}, session, "odd")
    assert answer["message"]["text"] == "odd"
    assert [each["uri"] for each in answer["message"]["embeds"].values()] == [""]
    assert [each["content_type"] for each in answer["message"]["embeds"].values()] == [
        "application/octet-stream"
    ]
    assert listed(http, session) == []


def test_a_question_full_of_keys_is_a_question(http) -> None:
    session = new_session(http)
    upload(http, session, "report", b"x")
    answer = ask(http, "Read #report " + " ".join(f"#z{number}" for number in range(20_000)), {}, session)
    assert answer["error"] is None
