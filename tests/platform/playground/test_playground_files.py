"""Attachments on the page: chosen, sent, shown, fetched again."""

import base64
import pathlib

import pytest

import fixieai
from fixieai import testing

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def describe(query: fixieai.Message) -> fixieai.Message:
    sizes = ", ".join(f"{key}: {len(embed.content)}" for key, embed in sorted(query.embeds.items()))
    return fixieai.Message(sizes or "nothing", query.embeds)


@pytest.fixture(scope="module", autouse=True)
def describer(platform: testing.Platform) -> None:
    platform.serve(fixieai.StandaloneAgent(describe), "describer")


def choose(page, *files: pathlib.Path) -> None:
    page.all("#file")[0].send_keys("\n".join(map(str, files)))


def drop(page, name: str, size: int) -> None:
    page.run(
        """
        const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array(arguments[1])], arguments[0]));
        const event = new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true });
        document.querySelector("#composer").dispatchEvent(event);
        """,
        name,
        size,
    )


def natural_widths(page, css: str) -> list[int]:
    return [image.get_property("naturalWidth") for image in page.all(css)]


@pytest.fixture
def files(tmp_path: pathlib.Path) -> list[pathlib.Path]:
    picture, notes, other = tmp_path / "my picture.png", tmp_path / "notes.txt", tmp_path / "notes.csv"
    picture.write_bytes(PNG)
    notes.write_text("hello")
    other.write_text("a,b\n1,2\n")
    return [picture, notes, other]


def test_files_go_with_the_question_and_come_back(page, files, downloads: pathlib.Path) -> None:
    page.expects_failures = True  # two files want the key `notes`
    page.open("/agents/local/describer")
    choose(page, *files)
    assert page.texts("#files li span") == ["my picture.png", "notes.txt", "notes.csv"]
    page.ask("What is it?")
    page.wait_for_answer(f"my_picture: {len(PNG)}, notes: 5, notes_2: 8")

    assert page.texts("#files li") == []
    for css in (".question", ".answer"):
        page.wait(lambda css=css: natural_widths(page, f"{css} img") == [1])
        assert [link.text for link in page.all(f"{css} a.file")] == [
            "Download notes (text/plain)",
            "Download notes_2 (text/csv)",
        ]
    page.click(".answer a.file", "notes_2")
    page.wait((downloads / "notes_2.csv").exists)
    assert (downloads / "notes_2.csv").read_text() == "a,b\n1,2\n"

    page.chromium.refresh()
    page.wait(lambda: natural_widths(page, ".question img") == [1])
    page.wait(lambda: natural_widths(page, ".answer img") == [1])


def test_a_file_that_is_not_meant_can_be_taken_back(page, files) -> None:
    page.expects_failures = True  # two files want the key `notes`
    page.open("/agents/local/describer")
    choose(page, *files)
    page.click("#files li:first-child .remove")
    assert page.texts("#files li span") == ["notes.txt", "notes.csv"]
    drop(page, "dropped.bin", 3)
    assert page.texts("#files li span") == ["notes.txt", "notes.csv", "dropped.bin"]
    drop(page, "large.bin", 32 * 1024 * 1024 + 1)
    assert page.texts("#status") == ["large.bin is larger than 32 MiB."]

    page.ask("")
    page.wait(lambda: page.texts("#status") == ["Ask something about what you attached."])
    page.ask("And now?")
    page.wait_for_answer("dropped: 3, notes: 5, notes_2: 8")


def test_an_upload_that_failed_is_tried_again_with_its_files(page, files) -> None:
    page.expects_failures = True
    page.open("/agents/local/describer")
    page.run(
        "window.realFetch = fetch; window.fetch = (path, options) => path.includes('/embeds?')"
        " ? Promise.reject(new TypeError('no network')) : realFetch(path, options);"
    )
    choose(page, files[1])
    page.ask("What is it?")
    page.wait(lambda: page.texts(".note"))
    assert page.texts(".question .file") == ["notes.txt (text/plain)"]
    page.run("window.fetch = realFetch;")
    page.click(".note button", "Try again")
    page.wait_for_answer("notes: 5")
    assert len(page.texts(".turn")) == 1


def test_an_address_that_has_ended_is_renewed(page, files) -> None:
    page.open("/agents/local/describer")
    choose(page, files[1])
    page.ask("What is it?")
    page.wait_for_answer("notes: 5")
    page.run("const later = Date.now() + 600_000; window.realNow = Date.now; Date.now = () => later;")
    page.click(".answer a.file")
    page.wait(
        lambda: (
            page.texts("#status")
            == ["Addresses of files work for ten minutes. Here are new ones: click again."]
        )
    )
    page.run("Date.now = realNow;")
    assert page.texts(".answer a.file") == ["Download notes (text/plain)"]


def test_what_is_no_picture_is_offered_as_a_file(page, tmp_path: pathlib.Path) -> None:
    page.expects_failures = True
    wrong = tmp_path / "wrong.png"
    wrong.write_bytes(b"<svg onload='document.title=1'/>")
    page.open("/agents/local/describer")
    choose(page, wrong)
    page.ask("What is it?")
    page.wait(lambda: page.texts(".answer a.file") == ["Download wrong (image/png)"])
    assert page.all("#log img") == []
