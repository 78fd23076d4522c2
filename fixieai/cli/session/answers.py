"""Printing one query's course: steps dimmed, the answer as it grows, what answered, what is attached."""

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import click

from fixieai import errors
from fixieai.cli import output
from fixieai.client.session import Session

OFFLINE_MODEL = "few-shot"


def sender(message: Mapping[str, Any]) -> str:
    """`@handle` of who sent a message; the agent may be gone by now."""
    sent_by = message.get("sentBy")
    return f"@{sent_by['handle']}" if sent_by else "@(deleted)"


def step(message: Mapping[str, Any], *, err: bool = False) -> None:
    """Prints an intermediate step."""
    output.hint(f"{sender(message)}: {message['text']}", err=err)


def model_line(model: str) -> str:
    """What answers, in words."""
    if model == OFFLINE_MODEL:
        return "few-shot model: offline, it answers from the agents' own examples"
    return f"model: {model}"


@dataclass(frozen=True, slots=True)
class Style:
    """Where a query is printed: `aside_err` puts all but the answer on standard error.

    `growing` prints the answer while it comes; otherwise it is printed once, when it is whole.
    """

    aside_err: bool
    growing: bool
    verbose: bool = False


class _Answer:
    """The answer on standard output: what was printed of it, and what is not yet."""

    def __init__(self, growing: bool) -> None:
        self._growing = growing
        self._printed = ""

    def show(self, text: str) -> None:
        if self._growing:
            self._print(text)

    def _print(self, text: str) -> None:
        if self._printed.rstrip() == text.rstrip():
            return
        if not text.startswith(self._printed):  # it was taken back: a new line, and from the start
            click.echo()
            self._printed = ""
        output.say(text[len(self._printed) :], nl=False)
        self._printed = text

    def interrupt(self) -> None:
        """Ends the line that was begun, for something else to be printed."""
        if self._printed:
            click.echo()
            self._printed = ""

    def end(self, text: str) -> None:
        self._print(text)
        click.echo()
        self._printed = ""


def show_query(session: Session, text: str, style: Style) -> bool:
    """Asks and prints everything up to the answer. True when there was one without an error."""
    answer = _Answer(style.growing)
    last: dict[str, Any] = {"text": "", "error": None, "model": None, "embeds": {}}
    try:
        for message in session.streaming_query(text):
            if message["type"] == "response":
                last = message
                answer.show(message["text"])
            else:
                answer.interrupt()
                step(message, err=style.aside_err)
    except BaseException:
        answer.interrupt()
        raise
    if last["error"]:
        answer.interrupt()
        output.say(f"Error: {last['text']}", err=True)
    else:
        answer.end(last["text"])
    _afterword(session, last, style)
    return not last["error"]


def _afterword(session: Session, last: Mapping[str, Any], style: Style) -> None:
    if last["error"] and style.verbose:
        output.hint(f"[{last['error'].get('code')}: {last['error'].get('message')}]", err=True)
    if last["model"]:
        output.hint(f"[{model_line(last['model'])}]", err=style.aside_err)
    show_embeds(session, last["embeds"], err=style.aside_err)


def show_embeds(session: Session, embeds: Mapping[str, Any] | Iterable[str], *, err: bool = False) -> None:
    """Lists attachments, by their keys or with what the message says of them, with where to get them."""
    said = dict(embeds) if isinstance(embeds, Mapping) else dict.fromkeys(embeds)
    if not said:
        return
    kept: dict[str, Any] = {}
    with contextlib.suppress(errors.NotFound):  # a platform that keeps none to be fetched
        kept = {str(found["key"]): found["embed"] for found in session.get_embeds()}
    for key, embed in said.items():
        known = kept.get(str(key)) or embed or {}
        content_type = known.get("contentType") or known.get("content_type") or ""
        place = known.get("url") or known.get("uri") or ""
        # A data: URI is the thing itself, and would fill the screen.
        shown = f"({len(place)} characters)" if place.startswith("data:") else place
        output.say(f"#{key}  {content_type}  {shown}".rstrip(), err=err)
