"""OpenAI's Responses API, as others call it through the platform: what is added, told, and missing."""

import json
import re
from collections.abc import Mapping
from typing import Any

from fixieai.llm.event_relay import EventRelay, Told

PATH = "responses"
_REASONING = "reasoning.encrypted_content"
_WRITES = re.compile(rb'"type"\s*:\s*"response\.[a-z_.]+\.delta"')
# Events hold the tools of the call too, whose descriptions may look like anything: only a look inside tells.
_MAY_FAIL = re.compile(rb'"type"\s*:\s*"(?:error|response\.failed)"|"error"\s*:\s*[{"]')
# How servers refuse a call that they do not know, in contrast to a model or an item of it.
_NO_SUCH_CALL = re.compile(
    r"\b(?:url|endpoint|route|path|method)\b|^(?:404:? )?(?:page )?not found\.?$", re.IGNORECASE
)
_SHOWN_LENGTH = 200


class ResponseRelay(EventRelay):
    """A stream of this API. What was used stands in its last event."""

    def __init__(self) -> None:
        super().__init__(hides_usage=False)

    def _usage_in(self, event: bytes) -> Mapping[str, Any] | None:
        return _usage_of(_data(event).get("response"))

    def _fails(self, event: bytes) -> bool:
        if _MAY_FAIL.search(event) is None:
            return False
        data = _data(event)
        return data.get("type") in ("error", "response.failed") or bool(data.get("error"))

    def _writes(self, event: bytes) -> bool:
        return _WRITES.search(event) is not None


def told(body: bytes) -> Told:
    """The same of a whole answer."""
    answer = _parsed(body)
    has_failed = bool(answer.get("error"))
    return Told(_usage_of(answer), 0 if has_failed else len(body) // 4, has_failed)


def with_reasoning(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """Asks for the reasoning in a form to send back with the next call, for the server forgets it.

    None where the body asks for it, or is not as expected.
    """
    included = body.get("include") or []
    if not isinstance(included, list) or _REASONING in included:
        return None
    return {**body, "include": [*included, _REASONING]}


def without_reasoning(body: Mapping[str, Any]) -> dict[str, Any]:
    """Undoes that."""
    included = [name for name in body.get("include") or [] if name != _REASONING]
    rest = {name: value for name, value in body.items() if name != "include"}
    return {**rest, "include": included} if included else rest


def explained(status: int, body: bytes) -> bytes | None:
    """A refusal in the words of this API, where the server does not have it; None of any other."""
    if status not in (404, 405, 501):
        return None
    error = _parsed(body).get("error")
    said = error.get("message") if isinstance(error, dict) else None
    if isinstance(said, str) and not _NO_SUCH_CALL.search(said):
        return None
    shown = said if isinstance(said, str) else body.decode("utf-8", "replace")
    message = (
        "The server that this platform calls for OpenAI has no Responses API: "
        f"it answered {status} ({shown.strip()[:_SHOWN_LENGTH]}). Use chat.completions there."
    )
    shape = {"message": message, "type": "invalid_request_error", "param": None, "code": "no_responses_api"}
    return json.dumps({"error": shape}).encode()


def _data(event: bytes) -> Mapping[str, Any]:
    return _parsed(event.partition(b"data:")[2])


def _usage_of(response: object) -> Mapping[str, Any] | None:
    usage = response.get("usage") if isinstance(response, dict) else None
    return usage if isinstance(usage, dict) else None


def _parsed(text: bytes) -> Mapping[str, Any]:
    """Empty where it is no JSON object."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
