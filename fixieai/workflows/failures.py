"""What can go wrong with a run, besides what can go wrong with any request."""

from fixieai import errors


class NotJson(TypeError):
    """A value that would not come back from storage as it was."""


class RunFailed(errors.FixieError):
    """The workflow raised an error. `kind` is its class name, `message` its text."""

    code = "run_failed"

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message or kind)
        self.kind = kind

    @classmethod
    def of(cls, error: Exception) -> "RunFailed":
        kind = error.kind if isinstance(error, RunFailed) else type(error).__name__
        return cls(kind, getattr(error, "message", None) or str(error))


class StepFailed(RunFailed):
    """A step raised an error. It is the same the first time and when it is remembered, so the original
    class is only a name, `kind`."""

    code = "step_failed"


class WorkflowChanged(errors.FixieError):
    """The workflow is another than the one this run was started with."""

    code = "workflow_changed"

    def __init__(self, step: str) -> None:
        super().__init__(
            f"Step {step!r} is not what this run did here before: its workflow was changed. Put what is new "
            f"behind patched(), or give the engine another version."
        )


class RunCancelled(errors.Conflict):
    """The run was cancelled."""

    code = "run_cancelled"


class Suspended(BaseException):
    """This run stops here, unfinished, to go on another time. Authors' `except Exception` lets it pass."""
