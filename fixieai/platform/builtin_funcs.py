"""Funcs that the platform itself answers: every agent's few-shots may name them."""

import datetime as dt
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass

from fixieai.protocol.messages import Message


@dataclass(frozen=True, slots=True)
class BuiltinContext:
    """What a built-in func may know of the query. `time_zone` is an IANA name; None: the platform's own."""

    base_prompt: str
    time_zone: str | None


def _local_datetime(_: Message, context: BuiltinContext) -> str:
    zone = zoneinfo.ZoneInfo(context.time_zone) if context.time_zone else None
    now = dt.datetime.now(dt.UTC).astimezone(zone)
    return now.isoformat(timespec="seconds")


def _utc_datetime(_: Message, __: BuiltinContext) -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


def _base_prompt(_: Message, context: BuiltinContext) -> str:
    return context.base_prompt


def _not_on_this_platform(_: Message, __: BuiltinContext) -> str:
    return "This platform cannot do that yet. Answer without it."


_FUNCS: dict[str, Callable[[Message, BuiltinContext], str]] = {
    "fixie_base_prompt": _base_prompt,
    "fixie_local_datetime": _local_datetime,
    "fixie_utc_datetime": _utc_datetime,
    "fixie_query_corpus": _not_on_this_platform,
}


def call(name: str, message: Message, context: BuiltinContext) -> Message:
    """What the built-in func answers; the loop calls none that does not exist."""
    return Message(_FUNCS[name](message, context))
