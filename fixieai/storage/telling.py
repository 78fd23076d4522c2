"""What is told of errors that name files of the platform's machine."""

import contextlib
from collections.abc import Callable, Iterator

from fixieai import errors

Tell = Callable[[errors.FixieError], errors.FixieError]


def as_it_is(error: errors.FixieError) -> errors.FixieError:
    """To whoever runs the platform: they are to know which file."""
    return error


@contextlib.contextmanager
def told(tell: Tell) -> Iterator[None]:
    """Within the block errors are raised as `tell` would have them."""
    try:
        yield
    except errors.FixieError as error:
        shown = tell(error)
        if shown is error:
            raise
        raise shown from error
