"""What is known of a run."""

import enum
from dataclasses import dataclass, field
from typing import Any


class RunStatus(enum.StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Run:
    """RUNNING is also a run whose process died, until another takes it over.

    `output` is what the workflow returned, once DONE; `error` why it ended, once FAILED.
    """

    id: str
    workflow: str
    status: RunStatus
    version: str | None
    executor_id: str | None
    output: Any = field(default=None, repr=False)
    error: Exception | None = field(default=None, repr=False)

    @property
    def has_ended(self) -> bool:
        return self.status not in {RunStatus.WAITING, RunStatus.RUNNING}
