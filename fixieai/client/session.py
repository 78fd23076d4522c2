"""A conversation with agents, kept by the platform."""

import urllib.parse
from collections.abc import Generator
from typing import IO, Any

from fixieai import errors
from fixieai.client import connection, graphql, uploads

_ADD_MESSAGE = """
mutation SendSessionMessage($messageData: SendSessionMessageInput!) {
  sendSessionMessage(messageData: $messageData) { message { text } }
}"""


class Session:
    """A conversation: the one named by `session_id`, or a new one.

    Raises:
        NotFound: there is no session of that name.
        FixieError: the platform could not be asked.
    """

    def __init__(
        self,
        client: connection.PlatformConnection,
        session_id: str | None = None,
        frontend_agent_id: str | None = None,
    ) -> None:
        """`frontend_agent_id` answers the queries (without one the platform chooses for each)."""
        self._client = client
        if session_id is None:
            metadata = client.post(f"{client.url}/api/sessions", {"frontendAgentId": frontend_agent_id})
        else:
            metadata = client.get(f"{client.url}/api/sessions/{connection.quoted(session_id)}")
        self._session_id = str(metadata["handle"])
        self._frontend_agent_id: str | None = frontend_agent_id or metadata.get("frontendAgentId")
        self._api_url = f"{client.url}/api/sessions/{connection.quoted(self._session_id)}"
        self._seen_position = 0

    def clone(self) -> "Session":
        """The same session once more, with its own idea of which messages were seen."""
        return Session(self._client, self._session_id, self._frontend_agent_id)

    @property
    def session_id(self) -> str:
        return self._session_id

    @property
    def session_url(self) -> str:
        """The web page of the session."""
        return f"{self._client.url}/sessions/{connection.quoted(self._session_id)}"

    def page_with_code(self) -> str:
        """The web page of the session, with a code that signs a browser in, once, within 15 minutes."""
        return self._client.page_with_code(self.session_url)

    @property
    def frontend_agent_id(self) -> str | None:
        """The agent that answers, or None when the platform chooses one for each query."""
        return self._frontend_agent_id

    def get_metadata(self) -> dict[str, Any]:
        """`handle`, `name`, `frontendAgentId`, `created`, `modified`."""
        return dict(self._client.get(self._api_url))

    def delete_session(self) -> None:
        """Deletes the session with all that is in it."""
        self._client.delete(self._api_url)

    def get_embeds(self) -> list[dict[str, Any]]:
        """The attachments, each `{"key", "embed": {"id", "contentType", "created", "url"}}`."""
        return list(self._client.get_all(f"{self._api_url}/embeds", "embeds"))

    def add_embed(self, key: str, content: bytes | IO[bytes], content_type: str) -> dict[str, Any]:
        """Attaches a file to the session, as in `get_embeds`; queries name it as `#key`.

        Args:
            key: 1 to 64 letters, digits or underscores.
            content: at most 32 MiB; a file has to be opened for reading as bytes.
            content_type: what it is, like `image/png`.

        Raises:
            UnprocessableContent: the key cannot be one.
            Conflict: the key names something else in this session.
            UnsupportedContent: the content type cannot be one.
            ContentTooLarge: it is larger than that.
        """
        place = f"{self._api_url}/embeds?{urllib.parse.urlencode({'key': key})}"
        return dict(self._client.post(place, uploads.FileBody(content, content_type)))

    def get_messages(self) -> list[dict[str, Any]]:
        """Every message in order: `id`, `text`, `type`, `sentBy`, `inReplyTo`, `timestamp`, `embeds`.

        Type `query` sent by `user` is the person's, `response` the answer, everything else a step.
        """
        return list(self._client.get_all(f"{self._api_url}/messages", "messages"))

    def get_messages_since_last_time(self) -> list[dict[str, Any]]:
        """The messages that came since this was last called, as in `get_messages`; at first, all."""
        found = list(self._client.get_all(f"{self._api_url}/messages", "messages", self._seen_position))
        if found:
            self._seen_position = int(found[-1]["position"])
        return found

    def add_message(self, text: str) -> str:
        """Asks, waits until there is an answer, and gives the question as it is stored.

        The answer is among the messages then.
        """
        data = {"messageData": {"session": self._session_id, "text": text}}
        answer = self._client.gqlclient.execute(_ADD_MESSAGE, data)
        return str(graphql.part_of(answer, "sendSessionMessage", "message", "text"))

    def run(self, text: str) -> Generator[dict[str, Any], None, None]:
        """Asks, and yields the question, each step and the answer as they are stored. See `get_messages`."""
        self.get_messages_since_last_time()
        for line in self.streaming_query(text):
            if line["final"] or line["type"] != "response":
                yield from self.get_messages_since_last_time()

    def cancel_query(self) -> None:
        """Ends the query that is being answered, whoever asked it; its answer says that it was cancelled.

        Raises:
            NotFound: no query is being answered.
        """
        self._client.post(f"{self._api_url}/cancel")

    def query(self, text: str) -> str:
        """Asks, waits, and gives the answer ("" when nothing came)."""
        answer = ""
        for message in self.streaming_query(text):
            answer = message["text"]
        return answer

    def streaming_query(self, text: str) -> Generator[dict[str, Any], None, None]:
        """Asks, and yields the steps and then the answer, whole so far each time, as they come.

        Each is `{"text", "type", "embeds", "sentBy", "model", "error", "final"}`; the last one is the
        answer, with an `error` of `{"code", "message"}` when the query failed.

        Raises:
            FixieError: the platform refused, or the connection broke. The query itself goes on then,
                and its answer will be in `get_messages()`.
        """
        url = f"{self._client.url}/api/agents/{self._frontend_path()}"
        body = {"session": self._session_id, "message": {"text": text}, "stream": True, "steps": True}
        for line in self._client.streaming_post(url, body):
            yield _flat(line)

    def _frontend_path(self) -> str:
        # "None" is the contract's word for "you choose".
        return connection.quoted(*(self._frontend_agent_id or "None").removeprefix("@").split("/"))


def _flat(line: Any) -> dict[str, Any]:
    if not isinstance(line, dict) or not isinstance(line.get("message"), dict):
        error = line.get("error") if isinstance(line, dict) else None
        said = error.get("message") if isinstance(error, dict) else None
        raise errors.UpstreamError(said or "The platform sent a line that holds no message.")
    message = line["message"]
    return {
        "text": str(message.get("text") or ""),
        "type": str(line.get("type") or "response"),
        "embeds": message.get("embeds") or {},
        "sentBy": line.get("sentBy"),
        "model": line.get("model"),
        "error": line.get("error"),
        "final": bool(line.get("final")),
    }
