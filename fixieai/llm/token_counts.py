"""How many tokens a text is, where no server says: estimated, a token being about four bytes of UTF-8."""

from fixieai.protocol.prompts import ChatPrompt, Prompt, TextPrompt

_BYTES_PER_TOKEN = 4
_TOKENS_PER_MESSAGE = 4
_TOKENS_PER_PICTURE = 1_000


def of_text(text: str) -> int:
    return of_bytes(len(text.encode("utf-8", "replace")))


def of_bytes(size: int) -> int:
    return -(-size // _BYTES_PER_TOKEN)


def of_prompt(prompt: Prompt) -> int:
    """0 for a prompt that goes to no language model."""
    match prompt:
        case ChatPrompt(messages, tools):
            arguments = [message.tool_call.arguments for message in messages if message.tool_call is not None]
            described = [f"{tool.name}{tool.description}{tool.parameters}" for tool in tools]
            texts = [*(message.text for message in messages), *arguments, *described]
            pictures = sum(len(message.images) for message in messages)
            beside = _TOKENS_PER_MESSAGE * len(messages) + _TOKENS_PER_PICTURE * pictures
            return of_text("".join(texts)) + beside
        case TextPrompt():
            return of_text(prompt.instructions + prompt.text)
        case _:
            return 0
