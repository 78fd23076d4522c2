"""What resolvers know of one request: who asks, the services, and what was looked up already."""

from fixieai import errors
from fixieai.platform.auth import Caller
from fixieai.platform.graphql.loaders import Loader
from fixieai.platform.services import Platform
from fixieai.platform.usage import UsageToday
from fixieai.storage.embeds import StoredEmbed
from fixieai.storage.messages import Message
from fixieai.storage.organizations import Organization
from fixieai.storage.revisions import Revision
from fixieai.storage.users import Account

# Of one answer, all lists together. What the text of a query leads to is bounded before (`measures`);
# lists that are not asked for in pages can be longer than it took them for.
MAXIMUM_ITEMS = 5_000
# Of a list that is not asked for in pages.
LONGEST_LIST = 1_000
LARGEST_PAGE = 1_000

PageKey = tuple[int, int, int]


class Context:
    """Of one request. `base_url` is how whoever asks reaches the platform."""

    def __init__(self, platform: Platform, caller: Caller, base_url: str) -> None:
        self.platform = platform
        self.caller = caller
        self.base_url = base_url
        self._items = 0
        self.messages: Loader[int, Message] = Loader(self._messages)
        self.newest_messages: Loader[int, list[Message]] = Loader(self._newest_messages)
        self.message_pages: Loader[PageKey, list[Message]] = Loader(self._message_pages)
        self.embeds: Loader[int, list[StoredEmbed]] = Loader(self._embeds)
        self.current_revisions: Loader[int, Revision] = Loader(self._current_revisions)
        self.newest_revisions: Loader[tuple[int, int], list[Revision]] = Loader(self._newest_revisions)
        self.account: Loader[str, Account] = Loader(self._account)
        self.usage: Loader[int, UsageToday] = Loader(self._usage)
        self.organizations: Loader[int, list[Organization]] = Loader(self._organizations)

    def count(self, items: int) -> None:
        """Raises UnprocessableContent when the answer holds too many items with these."""
        self._items += items
        if self._items > MAXIMUM_ITEMS:
            raise errors.UnprocessableContent(
                f"The answer would hold more than {MAXIMUM_ITEMS:,} items. "
                f"Ask for it in pages (`first`, `after`)."
            )

    @property
    def _room(self) -> int:
        """One more than there may be: so that too many are noticed, and no more than that are read."""
        return MAXIMUM_ITEMS - self._items + 1

    async def _messages(self, message_ids: list[int]) -> dict[int, Message]:
        found = await self.platform.sessions.messages_of_ids(self.caller, message_ids)
        return {message.id: message for message in found}

    async def _newest_messages(self, session_ids: list[int]) -> dict[int, list[Message]]:
        found = await self.platform.sessions.newest_of(self.caller, session_ids, LONGEST_LIST, self._room)
        return self._by_session(found)

    async def _message_pages(self, keys: list[PageKey]) -> dict[PageKey, list[Message]]:
        """Pages of several sessions are one look when they begin and end at the same positions."""
        wanted: dict[tuple[int, int], list[int]] = {}
        for session_id, after, until in keys:
            wanted.setdefault((after, until), []).append(session_id)
        pages: dict[PageKey, list[Message]] = {}
        for (after, until), session_ids in wanted.items():
            found = await self.platform.sessions.pages_of(
                self.caller, session_ids, (after, until), self._room
            )
            for session_id, messages in self._by_session(found).items():
                pages[session_id, after, until] = messages
        return pages

    async def _embeds(self, session_ids: list[int]) -> dict[int, list[StoredEmbed]]:
        found = await self.platform.embeds.of_sessions(self.caller, session_ids, LONGEST_LIST, self._room)
        self.count(len(found))
        sessions: dict[int, list[StoredEmbed]] = {}
        for embed in found:
            sessions.setdefault(embed.session_id, []).append(embed)
        return sessions

    async def _current_revisions(self, agent_ids: list[int]) -> dict[int, Revision]:
        return await self.platform.revisions.current_of(self.caller, agent_ids)

    async def _newest_revisions(self, keys: list[tuple[int, int]]) -> dict[tuple[int, int], list[Revision]]:
        """By the agent's id and how many are wanted."""
        wanted: dict[int, list[int]] = {}
        for agent_id, limit in keys:
            wanted.setdefault(limit, []).append(agent_id)
        revisions: dict[tuple[int, int], list[Revision]] = {}
        for limit, agent_ids in wanted.items():
            found = await self.platform.revisions.newest_of(self.caller, agent_ids, limit)
            self.count(sum(len(each) for each in found.values()))
            revisions.update({(agent_id, limit): each for agent_id, each in found.items()})
        return revisions

    async def _account(self, usernames: list[str]) -> dict[str, Account]:
        return {name: await self.platform.accounts.find(self.caller, name) for name in usernames}

    async def _usage(self, user_ids: list[int]) -> dict[int, UsageToday]:
        return {user_id: await self.platform.usage.today(user_id) for user_id in user_ids}

    async def _organizations(self, user_ids: list[int]) -> dict[int, list[Organization]]:
        found = await self.platform.organizations.page(self.caller, None, LONGEST_LIST)
        self.count(len(found))
        return dict.fromkeys(user_ids, found)

    def _by_session(self, found: list[Message]) -> dict[int, list[Message]]:
        self.count(len(found))
        sessions: dict[int, list[Message]] = {}
        for message in found:
            self.messages.put(message.id, message)
            sessions.setdefault(message.session_id, []).append(message)
        return sessions
