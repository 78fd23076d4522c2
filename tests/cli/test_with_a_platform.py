"""The commands against a real platform process, with an agent served by `fixie serve`."""

import re
import stat

import pytest

ROLLED = r"You rolled \d+ and \d+, for a total of \d+\.\n"


def _newest_session(fixie) -> str:
    return fixie("session", "list", "--limit", "1").stdout.split("\t")[0]


def test_a_query_prints_the_answer_on_stdout_and_the_steps_on_stderr(platform_cli):
    done = platform_cli("query", "-a", "dice", "Roll 2d20")
    assert re.fullmatch(ROLLED, done.stdout)
    assert "dice: Ask Func[roll]: 20 2\n" in done.stderr
    assert "few-shot" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize("agent", ["dice", "local/dice", "@local/dice"])
def test_agents_are_named_with_or_without_their_owner(platform_cli, agent):
    assert re.fullmatch(ROLLED, platform_cli("session", "query", "--keep", "-a", agent, "Roll 2d20").stdout)


def test_without_an_agent_the_platform_chooses_one(platform_cli):
    assert re.fullmatch(ROLLED, platform_cli("query", "Roll 2d20").stdout)


@pytest.mark.parametrize("agent", ["nobody", "local/nobody", "a/b/c", "..", ""])
def test_an_agent_that_is_not_there_is_exit_code_2(platform_cli, agent):
    for command in (("query", "-a", agent, "Roll"), ("console", "-a", agent, "Roll")):
        done = platform_cli(*command, code=2)
        assert done.stdout == ""
        assert "'-a' / '--agent'" in done.stderr


def test_an_address_where_no_agent_is_leaves_no_agent_behind(platform_cli):
    refused = platform_cli("agent", "register", "ghost", "http://127.0.0.1:9", code=1)
    assert "could not be reached" in refused.stderr
    assert "local/ghost" not in platform_cli("agent", "list").stdout


def test_a_key_that_is_not_good_is_exit_code_11(platform_cli):
    platform_cli.variables["FIXIE_API_KEY"] = "not-a-key"
    try:
        assert "fixie platform key" in platform_cli("session", code=11).stderr
    finally:
        del platform_cli.variables["FIXIE_API_KEY"]


def test_sessions_are_listed_and_shown_with_every_step(platform_cli):
    platform_cli("query", "-a", "dice", "Roll 2d20")
    handle, agent, age, words = platform_cli("session").stdout.splitlines()[0].split("\t")
    assert (agent, words) == ("local/dice", "Roll 2d20")
    assert age in {"now", "1 min"}
    listed = [platform_cli(*command).stdout.splitlines() for command in (("session",), ("session", "list"))]
    handles, again = [[line.split("\t")[0] for line in lines] for lines in listed]
    assert handles == again
    question, ask, says, answer = platform_cli("session", "show", handle).stdout.splitlines()
    assert question == "> Roll 2d20"
    assert ask.endswith("dice: Ask Func[roll]: 20 2")
    assert re.search(r"dice: Func\[roll\] says: \d+ \d+$", says)
    assert re.fullmatch(ROLLED, answer + "\n")


def test_a_session_that_is_not_there_is_an_error(platform_cli):
    for command in ("show", "open"):
        assert "Error: " in platform_cli("session", command, "no-such-session", code=1).stderr


def test_sessions_are_deleted_and_one_that_is_not_there_is_named(platform_cli):
    handles = []
    for _ in range(3):
        platform_cli("console", "-a", "dice")
        handles.append(_newest_session(platform_cli))
    assert platform_cli("session", "delete", handles[0]).stdout == f"Deleted {handles[0]}\n"
    done = platform_cli(
        "session", "delete", "-f", "nö-such", handles[1], "..", handles[1], handles[2], code=1
    )
    assert done.stdout == f"Deleted {handles[1]}\nDeleted {handles[2]}\n"
    for name in ("nö-such", ".."):
        assert f"there is no session '{name}'. `fixie session list`" in done.stderr
    left = platform_cli("session", "list", "--limit", "0").stdout
    assert not any(handle in left for handle in handles)
    platform_cli("session", "delete", code=2)


def test_at_a_terminal_deleting_asks_before(platform_cli, at_terminal):
    platform_cli("console", "-a", "dice")
    handle = _newest_session(platform_cli)
    for keys in ("n\r", "\r"):
        with at_terminal("session", "delete", handle) as terminal:
            terminal.wait_for(f"Delete the session {handle}, with its messages and attachments\\?")
            terminal.type(keys)
            assert terminal.process.wait(60) == 1
    assert _newest_session(platform_cli) == handle
    with at_terminal("session", "delete", handle, "other") as terminal:
        terminal.wait_for("Delete these 2 sessions")
        terminal.type("y\r")
        terminal.wait_for(f"Deleted {handle}")
        assert terminal.process.wait(60) == 1
    with at_terminal("session", "delete", "--force", handle) as terminal:
        terminal.wait_for("there is no session")


def test_a_conversation_reads_its_questions_from_a_pipe(platform_cli):
    done = platform_cli("console", "-a", "dice", "Roll 2d20", answers="\nRoll 2d6\n")
    assert len(re.findall(ROLLED, done.stdout)) == 2
    handle = _newest_session(platform_cli)
    again = platform_cli("session", "open", handle, answers="Roll 2d8\n")
    assert "> Roll 2d20\n" in again.stdout
    assert len(re.findall(ROLLED, again.stdout)) == 3


def test_a_query_that_is_refused_is_exit_code_1_and_a_conversation_goes_on_after_one(platform_cli):
    assert "Error: " in platform_cli("query", "-a", "dice", " ", code=1).stderr
    done = platform_cli("console", "-a", "dice", answers="x" * 300_000 + "\nRoll 2d6\n")
    assert "262144" in done.stderr
    assert re.search(ROLLED, done.stdout)


def test_agents_are_listed_shown_and_deleted(platform_cli):
    assert platform_cli("agent", "list").stdout == "local/dice\tonline\tRolls dice.\n"
    assert "Roll a d20" in platform_cli("agent", "list", "--verbose").stdout
    shown = platform_cli("agent", "show", "dice").stdout
    assert shown.startswith("Agent: local/dice\n")
    assert "Status: online\n" in shown
    for command in ("show", "delete"):
        assert "no agent nobody" in platform_cli("agent", command, "nobody", code=1).stderr


def test_the_user_is_the_local_one(platform_cli):
    assert platform_cli("user").stdout.startswith("Username: local\n")


PROMPT = r"\x1b\[\?2004h"  # what prompt_toolkit sends before it reads a line


def test_at_a_terminal_ctrl_c_cancels_a_line_and_ctrl_d_ends(platform_cli, at_terminal):
    with at_terminal("console", "-a", "dice") as terminal:
        terminal.wait_for("Ctrl-D ends")
        terminal.wait_for(PROMPT)
        terminal.type("something else")
        terminal.wait_for("else")
        terminal.type("\x03")
        terminal.wait_for(PROMPT)
        terminal.type("Roll 2d20\r")
        terminal.wait_for(r"\x1b\[2m@local/dice: Ask Func\[roll\]: 20 2\x1b\[0m")
        terminal.wait_for(r"You rolled \d+ and \d+, for a total of \d+\.")
        terminal.wait_for(PROMPT)
        terminal.type("\x04")
        assert terminal.process.wait(60) == 0
    history = platform_cli.folder / "home" / "console_history"
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    assert "Roll 2d20" in history.read_text()
    assert "something else" not in history.read_text()
    assert "\tRoll 2d20\n" in platform_cli("session", "list", "--limit", "1").stdout


def test_a_terminal_gets_a_table_and_no_control_characters_of_others(platform_cli, at_terminal):
    platform_cli("query", "-a", "dice", "Roll \x1b[31mred")
    with at_terminal("session") as terminal:
        terminal.wait_for("FIRST WORDS")
        terminal.wait_for("Roll \ufffd\\[31mred")
        assert terminal.process.wait(60) == 0


def test_ctrl_c_stops_listening_to_an_answer_and_the_conversation_goes_on(platform_cli, at_terminal):
    folder = platform_cli.folder / "slow"
    folder.mkdir()
    (folder / "agent.yaml").write_text("handle: slow\n")
    (folder / "main.py").write_text(
        "import time\ndef agent(query):\n    yield 'begun'\n    time.sleep(3)\n    yield 'begun, done'\n"
    )
    agent = platform_cli.start("serve", "--no-reload", "--port", "0", folder=folder)
    agent.wait_for("is served at")
    with at_terminal("console", "-a", "slow", "Go") as terminal:
        terminal.wait_for("begun")
        terminal.type("\x03")
        terminal.wait_for("the query goes on")
        terminal.wait_for(PROMPT)
        terminal.type("@dice Roll 2d20\r")
        terminal.wait_for(r"You rolled \d+ and \d+")
        terminal.type("\x04")
    assert "begun, done\n" in platform_cli("session", "show", _newest_session(platform_cli)).stdout
    agent.stop()


def test_ctrl_c_at_a_question_is_exit_code_130(platform_cli, at_terminal):
    with at_terminal("init", "never") as terminal:
        terminal.wait_for("Handle")
        terminal.type("\x03")
        terminal.wait_for("Interrupted")
        assert terminal.process.wait(60) == 130
    assert not (platform_cli.folder / "never").exists()
