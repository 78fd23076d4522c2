"""Platforms that share a database have to keep bytes in one place: each looks for the same mark there."""

import logging
import secrets

from fixieai.storage import shared_facts
from fixieai.storage.blobs import Blobs
from fixieai.storage.database import Database

FACT = "place of bytes"
_AREA = "place"
_logger = logging.getLogger("fixieai.platform")


async def marked(blobs: Blobs) -> str:
    """Leaves a mark there; what to look for."""
    return await blobs.area(_AREA).put(secrets.token_bytes(16))


async def check(database: Database, blobs: Blobs) -> bool:
    """Whether bytes are kept where the first platform of the database keeps them.

    If not, the log says so. The platform works nevertheless: a backup may have been restored without the
    mark.

    Raises:
        ServiceUnavailable: the place does not answer.
    """
    known = await database.read(shared_facts.find, FACT)
    if not known:
        mark = await marked(blobs)
        known = await database.write(shared_facts.decide, FACT, lambda: mark)
    is_the_same = await blobs.area(_AREA).exists(known)
    if not is_the_same:
        _logger.error(
            "Other platforms of this database keep attachments and packages at another place: what they "
            "store is not found here. Set FIXIE_BLOBS_URL to the bucket or folder that all of them use."
        )
    return is_the_same
