"""What agents say is shown, and does nothing."""

import pathlib

import pytest

import fixieai
from fixieai import testing

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
HTML = '<img src=x onerror="document.title=\'owned\'"><script>document.title="owned"</script><b>bold</b>'
MARKUP = f"""
Q: Show markup
Ask Func[markup]: now
Func[markup] says: text
A: It said: text

Q: {HTML}
A: {HTML}
"""


def markup() -> fixieai.CodeShotAgent:
    agent = fixieai.CodeShotAgent("I speak HTML.", MARKUP)
    agent.register_func(lambda: HTML, func_name="markup")
    return agent


def files(query: fixieai.Message) -> fixieai.Message:
    embeds = {
        "pixel": fixieai.Embed("image/png", f"data:image/png;base64,{PIXEL}"),
        "old": fixieai.Embed("image/png", f"data:base64,{PIXEL}"),
        "notes": fixieai.Embed("text/plain", "data:text/plain;base64,aGVsbG8="),
        "drawing": fixieai.Embed("image/svg+xml", "data:image/svg+xml,<svg onload='document.title=1'/>"),
        "far": fixieai.Embed("image/png", "https://example.com/far.png"),
        "script": fixieai.Embed("image/png", "javascript:document.title='owned'"),
        HTML: fixieai.Embed(HTML, "data:text/html,<script>document.title='owned'</script>"),
    }
    return fixieai.Message("Here are your files.", embeds)


@pytest.fixture(scope="module", autouse=True)
def hostile_agents(platform: testing.Platform) -> None:
    platform.serve(markup(), "markup")
    platform.serve(fixieai.StandaloneAgent(files), "files")


def test_nothing_that_agents_say_becomes_html(page) -> None:
    page.platform.call("PUT", "/api/agents/local/markup", {"name": HTML, "description": HTML})
    page.open("/agents/local/markup")
    assert page.texts(".empty h2") == [HTML]
    assert HTML in page.texts(".suggestions button")

    page.ask("Show markup")
    page.wait_for_answer(HTML)
    page.ask(HTML)
    page.wait_for_answer(HTML)

    assert f"Func[markup] says: {HTML}" in page.texts(".steps li")
    assert page.all("#log img, #log script, #log b, #sidebar b, #sidebar li img") == []
    assert "owned" not in page.chromium.title
    page.platform.call("PUT", "/api/agents/local/markup", {"name": "markup", "description": ""})


def test_pictures_are_shown_and_other_files_are_offered(page, downloads: pathlib.Path) -> None:
    page.open("/agents/local/files")
    page.ask("Show me")
    page.wait(lambda: page.texts(".answer[aria-busy=false] .byline"))

    pictures = {image.get_attribute("alt"): image for image in page.all(".answer img")}
    assert set(pictures) == {"pixel (image/png)", "old (image/png)"}
    page.wait(lambda: all(image.get_property("naturalWidth") == 1 for image in pictures.values()))
    links = {link.text: link for link in page.all(".answer a")}
    assert links["Download notes (text/plain)"].get_attribute("download") == "notes"
    assert links["Download drawing (image/svg+xml)"].get_attribute("download") == "drawing"
    assert links["Open far (image/png)"].get_attribute("rel") == "noopener noreferrer"
    assert set(page.texts(".answer span.file")) == {"script (image/png)"}
    links[f"Download {HTML} ({HTML})"].click()
    links["Download notes (text/plain)"].click()
    page.wait((downloads / "notes.txt").exists)
    assert (downloads / "notes.txt").read_text() == "hello"
    assert page.path.startswith("/sessions/")
    assert "owned" not in page.chromium.title


@pytest.mark.parametrize("path", ["/", "/agents/local/dice", "/agents/local/markup"])
def test_a_narrow_window_has_nothing_to_scroll_sideways(page, path: str) -> None:
    page.chromium.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 320, "height": 640, "deviceScaleFactor": 1, "mobile": True},
    )
    try:
        page.open(path)
        page.ask("Roll 3d8 " + "w" * 300)
        page.wait(lambda: page.texts(".answer .text"))
        assert page.run("return document.documentElement.scrollWidth") == 320
        assert (
            page.run("const log = document.querySelector('#log'); return log.scrollWidth - log.clientWidth")
            == 0
        )

        assert page.texts("#agents") == []
        page.click("#menu")
        page.click("#agents a", "dice")
        page.wait(lambda: page.path == "/agents/local/dice" and not page.texts("#agents"))
    finally:
        page.chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_agents_of_others_are_shown_with_their_owner(page, platform) -> None:
    eve = platform.add_user("eve")
    eve.call("PUT", "/api/agents/eve/dice", {"name": "dice"})
    eve.call("PATCH", "/api/agents/eve/dice", {"published": True})

    page.open("/agents/eve/dice")

    page.wait(lambda: page.texts(".empty h2") == ["dice · eve/dice"])
    names = [name.splitlines()[0] for name in page.texts("#agents a")]
    assert [name for name in names if name.startswith("dice")] == ["dice", "dice · eve/dice"]
    eve.call("DELETE", "/api/agents/eve/dice")
