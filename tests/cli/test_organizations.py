"""Organisations from the command line, and an agent that one owns."""


def test_an_organisation_is_made_shared_and_deleted(platform_cli) -> None:
    platform_cli("platform", "users", "add", "ann")
    made = platform_cli("organization", "create", "acme", "--name", "Acmé Inc.")
    assert made.stdout == "Created acme\n"
    assert "owner: acme" in made.stderr
    assert platform_cli("organization").stdout == "acme\towner\tnow\tAcmé Inc.\n"
    assert platform_cli("organization", "list").stdout == platform_cli("organization").stdout

    for flags, role in (((), "member"), (("--owner",), "owner"), ((), "member")):
        platform_cli("organization", "members", "add", "acme", "ann", *flags)
        listed = platform_cli("organization", "members", "list", "acme").stdout.splitlines()
        assert listed == ["local\towner\tnow", f"ann\t{role}\tnow"]

    folder = platform_cli.folder / "robot"
    folder.mkdir()
    (folder / "agent.yaml").write_text("handle: robot\nowner: acme\ndeployment_url: http://127.0.0.1:9\n")
    refused = platform_cli("deploy", "robot", code=1)
    assert "could not be reached" in refused.stderr
    assert "acme/robot" in platform_cli("agent", "list").stdout
    assert "owns agents" in platform_cli("organization", "delete", "acme", code=1).stderr
    platform_cli("agent", "delete", "acme/robot")

    left = platform_cli("organization", "members", "remove", "acme", "ann")
    assert left.stdout == "ann is no longer a member of acme\n"
    assert platform_cli("organization", "delete", "acme").stdout == "Deleted acme\n"
    assert platform_cli("organization").stdout == ""


def test_what_cannot_be_is_said(platform_cli) -> None:
    platform_cli("organization", "create", "mine")
    for arguments, said in (
        (("create", "mine"), "'mine' is taken"),
        (("create", "Größe"), "lower-case letters"),
        (("delete", "none"), "a member of no organisation 'none'"),
        (("members", "list", "größe"), "a member of no organisation 'größe'"),
        (("members", "add", "mine", "nobody"), "There is no user 'nobody'"),
        (("members", "remove", "mine", "local"), "Make another member its owner first"),
        (("members", "list", ".."), "'..' is not a handle"),
    ):
        done = platform_cli("organization", *arguments, code=1)
        assert said in done.stderr
        assert done.stdout == ""
    folder = platform_cli.folder / "foreign"
    folder.mkdir()
    (folder / "agent.yaml").write_text("handle: robot\nowner: theirs\ndeployment_url: http://127.0.0.1:9\n")
    assert (
        "'theirs' is neither your name nor an organisation"
        in platform_cli("deploy", "foreign", code=1).stderr
    )


def test_at_a_terminal_deleting_asks_before(platform_cli, at_terminal) -> None:
    platform_cli("organization", "create", "asked")
    with at_terminal("organization", "delete", "asked") as terminal:
        terminal.wait_for("Delete the organisation asked\\?")
        terminal.type("n\r")
        assert terminal.process.wait(60) == 1
    with at_terminal("organization", "delete", "asked", "--force") as terminal:
        terminal.wait_for("Deleted asked")
