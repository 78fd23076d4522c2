"""Attachments: bytes that people, funcs and agents send are stored once, and referred to from then on.

    data: URI  ── keep ──▶  embed:{id}  ── shown ──▶  https://platform/attachment/{signed}

Inside, in messages and in the loop, an embed of ours is a reference. What is at another server
stays there, and is neither fetched nor checked.
"""

import asyncio
import contextlib
import hashlib
import logging
import pathlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fixieai import errors
from fixieai.platform import blob_place, embed_links, unused_bytes
from fixieai.platform.auth import Caller
from fixieai.platform.embed_links import EmbedLinks
from fixieai.platform.secret_key import SecretKey
from fixieai.protocol.embeds import Embed
from fixieai.protocol.messages import Message
from fixieai.storage import embeds, ids, sessions
from fixieai.storage.blobs import Blobs
from fixieai.storage.database import Database
from fixieai.storage.embeds import NewEmbed, StoredEmbed
from fixieai.storage.sessions import Session
from fixieai.storage.transaction import Transaction

_logger = logging.getLogger("fixieai.platform")
# Who sent what the person themselves said or attached; agents are named by their ids.
PERSON = "user"
MAXIMUM_BYTES = 32 * 1024 * 1024
_MOST_NAMED = 64
_LONGEST_ADDRESS = 8 * 1024
_LONGEST_TYPE = 255
_LONGEST_KEY = 200
_REMOVED_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Kept:
    """A message that refers to its attachments, and those to be stored with it, by their URI in it."""

    message: Message
    new: Mapping[str, NewEmbed] = field(default_factory=dict)


class Embeds:
    """`url` is where agents find this platform."""

    def __init__(self, database: Database, blobs: Blobs, secret_key: SecretKey, url: str) -> None:
        self._database = database
        self._blobs = blobs
        self._links = EmbedLinks(secret_key)
        self._url = url

    async def open(self, *, is_alone: bool = True) -> None:
        """At the start: looks whether bytes can be stored, and removes what nobody needs any more.

        Raises:
            ConfigurationError: they cannot; the message says why. (A bucket that does not answer may later.)
        """
        try:
            await self._blobs.put(b"")
            if not is_alone:
                await blob_place.check(self._database, self._blobs)
        except errors.ServiceUnavailable as error:
            _logger.warning("Attachments cannot be stored at the moment: %s", error.message)
        await self.remove_unused()

    # --- in ---

    async def keep(
        self, owner_id: int, session_id: int, message: Message, *, is_persons: bool = False
    ) -> Kept:
        """Stores the bytes of a message's `data:` URIs. The embeds themselves are yet to be stored.

        Raises:
            UnprocessableContent: a person's URI cannot be used; the message says which. Of an agent's, such
                an embed is one without content.
        """
        if not message.embeds:
            return Kept(message)
        # Together: what they write to the database is then one commit.
        made = await asyncio.gather(
            *(
                self._keep(owner_id, session_id, (key, embed), is_persons=is_persons)
                for key, embed in message.embeds.items()
            )
        )
        found: dict[str, Embed] = {}
        new: dict[str, NewEmbed] = {}
        for key, each in zip(map(_plain_key, message.embeds), made, strict=True):
            if isinstance(each, NewEmbed):
                uri = each.uri or embed_links.reference(each.id)
                new[uri] = each
                found[key] = Embed(each.content_type, uri)
            else:
                found[key] = each
        return Kept(Message(message.text, found), new)

    async def _keep(
        self, owner_id: int, session_id: int, named: tuple[str, Embed], *, is_persons: bool
    ) -> NewEmbed | Embed:
        key, embed = named
        content_type = _plain_type(embed.content_type)
        new = NewEmbed(ids.new_id(), _plain_key(key), "", content_type)
        try:
            if embed.uri[:5].lower() == "data:":
                return await self._store(new, await asyncio.to_thread(_read_data, key, embed))
            _check_address(key, embed.uri)
        except errors.UnprocessableContent:
            if is_persons:
                raise
            return Embed(content_type, "")
        link = self._links.recognized(embed.uri)
        if link is None:
            return replace(new, uri=embed.uri)
        again = await self._known_again(link, owner_id, session_id, new)
        if again is None and is_persons:
            raise errors.UnprocessableContent(
                f"message.embeds.{key}.uri: this address of the platform leads to nothing that is yours"
            )
        return again or Embed(content_type, "")

    async def _known_again(
        self, link: embed_links.Link, owner_id: int, session_id: int, new: NewEmbed
    ) -> NewEmbed | Embed | None:
        """An address that was given out comes back: the same embed, or in another session its bytes.

        None: it was deleted, or is somebody else's.
        """
        stored = None
        if link.owner_id == owner_id:
            stored = await self._database.read(embeds.get, owner_id, link.embed_id)
        if stored is None or stored.content_hash is None:
            return None
        if stored.session_id == session_id:
            return self.inside(stored)
        new = replace(
            new, content_type=stored.content_type, content_hash=stored.content_hash, size=stored.size
        )
        is_held = await unused_bytes.write_when_not_removed(
            self._database, embeds.hold_bytes_of, owner_id, stored, new.id
        )
        return new if is_held else None

    async def _store(self, new: NewEmbed, content: bytes | pathlib.Path) -> NewEmbed:
        content_hash, size = await asyncio.to_thread(_measure, content)
        await unused_bytes.write_when_not_removed(self._database, embeds.hold, new.id, content_hash)
        await self._blobs.put(content)
        return replace(new, content_hash=content_hash, size=size)

    async def with_named(
        self, owner_id: int, session_id: int, message: Message, keys: frozenset[str]
    ) -> Message:
        """The message, with the session's embeds of these keys attached to it too."""
        wanted = sorted(keys - message.embeds.keys())[:_MOST_NAMED]
        found = await self._database.read(embeds.all_named, owner_id, session_id, wanted)
        if not found:
            return message
        named = {stored.key: self.inside(stored) for stored in found}
        return Message(message.text, {**named, **message.embeds})

    async def upload(
        self, caller: Caller, handle: str, new: NewEmbed, content: bytes | pathlib.Path
    ) -> StoredEmbed:
        """A person's file for a session, whose texts may then name it.

        Raises:
            NotFound: there is no such session.
            Conflict: the key names other content.
        """
        session = await self._database.read(sessions.existing, caller.user_id, handle)
        new = await self._store(new, content)
        stored = None
        try:
            stored = await self._database.write(embeds.upload, caller.user_id, session.id, new)
        finally:
            if stored is None or stored.id != new.id:
                await self.let_go([new])
        return stored

    # --- out ---

    def inside(self, stored: StoredEmbed) -> Embed:
        """A stored embed as messages and the loop have it."""
        return Embed(stored.content_type, stored.uri or embed_links.reference(stored.id))

    def shown(
        self, owner_id: int, found: Mapping[str, Embed], base_url: str | None = None
    ) -> dict[str, Embed]:
        """Embeds for somebody outside, an agent unless `base_url` says how others reach the platform.

        Agents get none that has no content.
        """
        return {
            key: self._shown(owner_id, embed, base_url)
            for key, embed in found.items()
            if embed.uri or base_url is not None
        }

    def _shown(self, owner_id: int, embed: Embed, base_url: str | None) -> Embed:
        embed_id = embed_links.referred_id(embed.uri)
        if embed_id is None:
            return embed
        return Embed(embed.content_type, (base_url or self._url) + self._links.path(owner_id, embed_id))

    def address(self, owner_id: int, stored: StoredEmbed, base_url: str | None = None) -> str:
        """Where somebody outside can fetch it."""
        return self._shown(owner_id, self.inside(stored), base_url).uri

    async def page(
        self, caller: Caller, session: Session, after: str | None, limit: int
    ) -> list[StoredEmbed]:
        return await self._database.read(embeds.page, caller.user_id, session.id, after, limit)

    async def of_sessions(
        self, caller: Caller, session_ids: list[int], each: int, limit: int
    ) -> list[StoredEmbed]:
        """The newest `each` embeds of every session, in order; at most `limit` in all."""
        return await self._database.read(embeds.of_sessions, caller.user_id, session_ids, each, limit)

    async def at_address(self, token: str) -> tuple[StoredEmbed, int]:
        """What the last part of an address leads to, and the seconds that it still does.

        Raises:
            NotFound: the address was not made here, has ended, or its embed was deleted.
        """
        link = self._links.read(token)
        stored = await self._database.read(embeds.get, link.owner_id, link.embed_id)
        if stored is None or stored.content_hash is None:
            raise errors.NotFound
        return stored, link.seconds_left

    def stream(self, stored: StoredEmbed) -> AsyncIterator[bytes]:
        if stored.content_hash is None:
            raise errors.NotFound
        return self._blobs.stream(stored.content_hash)

    async def content(self, owner_id: int, embed: Embed) -> bytes | None:
        """The bytes of an embed of ours, or in a `data:` URI; None: it is elsewhere, or nowhere.

        Raises:
            NotFound: it was deleted.
            UnprocessableContent: the `data:` URI cannot be read.
        """
        embed_id = embed_links.referred_id(embed.uri)
        if embed_id is None:
            is_data = embed.uri[:5].lower() == "data:"
            return await asyncio.to_thread(_read_data, "", embed) if is_data else None
        stored = await self._database.read(embeds.get, owner_id, embed_id)
        if stored is None or stored.content_hash is None:
            raise errors.NotFound
        return await self._blobs.get(stored.content_hash)

    # --- deleting ---

    async def delete_session(self, owner_id: int, session_id: int) -> None:
        """Deletes a session with all that belongs to it, and the bytes that nobody else has."""
        await self._database.write(_delete_session, owner_id, session_id)
        await self.remove_unused()

    async def let_go(self, new: Sequence[NewEmbed]) -> None:
        """What was kept for embeds that are not stored after all is no longer needed for them."""
        with contextlib.suppress(errors.FixieError):  # then a hold ends by itself
            await self._database.write(embeds.let_go, [embed.id for embed in new])
            await self.remove_unused()

    async def remove_unused(self) -> None:
        """Removes bytes that nobody needs any more. What fails is tried again the next time."""
        with contextlib.suppress(errors.ServiceUnavailable, errors.ConfigurationError):
            for content_hash in await self._database.read(embeds.BYTES.perhaps_unused, _REMOVED_AT_ONCE):
                await self.remove_if_unused(content_hash)

    async def remove_if_unused(self, content_hash: str) -> None:
        """Removes bytes, unless an embed has them or is about to."""
        await unused_bytes.remove(self._database, embeds.BYTES, content_hash, self._blobs.delete)


def _delete_session(transaction: Transaction, owner_id: int, session_id: int) -> None:
    embeds.abandon(transaction, owner_id, session_id)
    sessions.delete(transaction, owner_id, session_id)


def _read_data(key: str, embed: Embed) -> bytes:
    try:
        return embed.content
    except ValueError as error:
        raise errors.UnprocessableContent(f"message.embeds.{key}.uri: {error}") from None


def _check_address(key: str, uri: str) -> None:
    if not uri.lower().startswith(("http://", "https://")) or not uri.isprintable():
        raise errors.UnprocessableContent(f"message.embeds.{key}.uri: must begin with http:, https: or data:")
    if len(uri) > _LONGEST_ADDRESS:
        raise errors.UnprocessableContent(
            f"message.embeds.{key}.uri: more than {_LONGEST_ADDRESS} characters"
        )


def _plain_type(content_type: str) -> str:
    """What anybody calls anything, unless it could never be a type."""
    is_plain = content_type.isprintable() and len(content_type) <= _LONGEST_TYPE
    return content_type if is_plain else "application/octet-stream"


def _plain_key(key: str) -> str:
    return key.replace("\0", "\ufffd")[:_LONGEST_KEY]


def _measure(content: bytes | pathlib.Path) -> tuple[str, int]:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest(), len(content)
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), content.stat().st_size
