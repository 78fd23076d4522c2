"""Vectors as OpenAI's API gives them, made up: the same text has the same one."""

import base64
import json
import random
import struct
from collections.abc import Mapping
from typing import Any

_DIMENSIONS = 8


def answer(body: Mapping[str, Any]) -> dict[str, Any]:
    """What `POST /embeddings` answers to this JSON body."""
    texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
    data = [
        {"object": "embedding", "index": index, "embedding": _shown(vector(text, body), body)}
        for index, text in enumerate(texts)
    ]
    tokens = len(json.dumps(texts)) // 4
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": body.get("model", ""), "usage": usage}


def vector(text: object, body: Mapping[str, Any]) -> list[float]:
    numbers = random.Random(str(text))  # noqa: S311 - a vector, not a secret
    return [numbers.uniform(-1, 1) for _ in range(body.get("dimensions") or _DIMENSIONS)]


def _shown(numbers: list[float], body: Mapping[str, Any]) -> list[float] | str:
    if body.get("encoding_format") != "base64":
        return numbers
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode("ascii")
