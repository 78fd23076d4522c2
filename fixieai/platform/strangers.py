"""What people elsewhere are told: nothing of where the platform's files are. The log says that."""

import logging

from fixieai import errors

_logger = logging.getLogger("fixieai.platform")


def told(error: errors.FixieError) -> errors.FixieError:
    """The error, without the file that it names."""
    if error.place is None:
        return error
    _logger.error("%s: %s", error.code, error.message)
    return type(error)(retry_after=error.retry_after)
