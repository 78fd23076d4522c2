"""What one platform process counts of its work, for `/metrics`: numbers only, of nobody in particular.

Labels are names of ours: providers of models, codes of errors, routes. Those of people, agents and
models would tell who does what, and anybody could make ever more of them.
"""

import contextlib
import os
import pathlib
import time
from collections.abc import Iterable, Iterator
from importlib import metadata

from fixieai import errors
from fixieai.llm.providers import FEW_SHOT, PROVIDERS
from fixieai.platform import prometheus
from fixieai.platform.prometheus import Counter, Family, Gauge, Histogram

ANSWERED = "answered"
# By the end of its query or of the platform.
CUT_OFF = "cut_off"
OTHER = "other"
_VERSION = metadata.version("fixieai")
_PROCESS = pathlib.Path("/proc/self")


class Metrics:
    """Counters of one process, from its start."""

    def __init__(self) -> None:
        self.requests = Counter(
            "fixie_http_requests_total", "Requests that were answered.", ("method", "route", "status")
        )
        self.request_seconds = Histogram(
            "fixie_http_request_seconds", "From the head of a request to the head of its answer."
        )
        self.queries = Counter("fixie_queries_total", "Queries that ended here, by how.", ("outcome",))
        self.query_seconds = Histogram("fixie_query_seconds", "From a query's arrival to its end.")
        self.queries_taken = Counter(
            "fixie_queries_taken_over_total", "Queries that went on here after another process left them."
        )
        self.model_calls = Counter(
            "fixie_model_calls_total", "Calls to language models by queries.", ("provider", "outcome")
        )
        self.model_seconds = Histogram(
            "fixie_model_call_seconds", "From the call to the end of its answer.", ("provider",)
        )
        self.model_first_seconds = Histogram(
            "fixie_model_first_token_seconds", "From the call to the first text.", ("provider",)
        )
        self.tokens = Counter(
            "fixie_model_tokens_total",
            "Tokens of all model calls, those of agents through the OpenAI proxy included.",
            ("provider", "kind"),
        )
        self.agent_calls = Counter(
            "fixie_agent_calls_total",
            "Calls to agents and their functions, by what came of them.",
            ("outcome",),
        )
        self.agent_seconds = Histogram("fixie_agent_call_seconds", "From the call to the end of its answer.")

    def count_tokens(self, model: str, prompt_tokens: int, completion_tokens: int) -> None:
        provider = provider_of(model)
        self.tokens.add(provider, "prompt", amount=prompt_tokens)
        self.tokens.add(provider, "completion", amount=completion_tokens)

    def agent_call(self) -> contextlib.AbstractContextManager[None]:
        """Counts and times the block, by what it raises."""
        return _timed(self.agent_calls, self.agent_seconds)

    def model_call(self, provider: str) -> contextlib.AbstractContextManager[None]:
        """As `agent_call`."""
        return _timed(self.model_calls, self.model_seconds, provider)

    def render(self, live: Iterable[Family] = ()) -> str:
        """Everything, with what is looked up at this moment."""
        return prometheus.render([*vars(self).values(), *live, *_PROCESS_FAMILIES])


@contextlib.contextmanager
def _timed(calls: Counter, seconds: Histogram, *labels: str) -> Iterator[None]:
    began, outcome = time.monotonic(), CUT_OFF
    try:
        yield
        outcome = ANSWERED
    except GeneratorExit:  # a stream that has said enough
        outcome = ANSWERED
        raise
    except errors.FixieError as error:
        outcome = error.code
        raise
    finally:
        calls.add(*labels, outcome)
        seconds.observe(time.monotonic() - began, *labels)


def provider_of(model: str) -> str:
    """The provider of `owner/model`, "other" for owners that are not known."""
    owner = model.partition("/")[0]
    return owner if owner in PROVIDERS or owner == FEW_SHOT else OTHER


def _resident_bytes() -> float | None:
    try:
        pages = int((_PROCESS / "statm").read_text("ascii").split()[1])
    except OSError:  # this is not Linux
        return None
    return pages * float(os.sysconf("SC_PAGE_SIZE"))


def _open_files() -> float | None:
    try:
        return len(list((_PROCESS / "fd").iterdir()))
    except OSError:
        return None


_STARTED = time.time()
# Under the names that every dashboard knows.
_PROCESS_FAMILIES = (
    Gauge("fixie_info", "The version that runs.", lambda: 1, [("version", _VERSION)]),
    Gauge("process_start_time_seconds", "When the process started, since 1970.", lambda: _STARTED),
    Gauge("process_cpu_seconds_total", "Processor time.", time.process_time),
    Gauge("process_resident_memory_bytes", "Memory in use.", _resident_bytes),
    Gauge("process_open_fds", "Open files and connections.", _open_files),
)
