"""Connections: pages of lists that grow."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from fixieai import errors
from fixieai.platform.graphql.context import LARGEST_PAGE

T = TypeVar("T")


def check_first(first: int) -> int:
    """Raises UnprocessableContent for a length that no page has."""
    if not 1 <= first <= LARGEST_PAGE:
        raise errors.UnprocessableContent(f"first: must be 1 to {LARGEST_PAGE:,}")
    return first


def connection(
    found: Sequence[T], first: int, cursor: Callable[[T], object], node: Callable[[T], dict[str, Any]]
) -> dict[str, Any]:
    """Of `first` items and, when there are more, one more."""
    shown = found[:first]
    cursors = [str(cursor(item)) for item in shown]
    nodes = [node(item) for item in shown]
    return {
        "nodes": nodes,
        "edges": [{"cursor": at, "node": each} for at, each in zip(cursors, nodes, strict=True)],
        "pageInfo": {"hasNextPage": len(found) > first, "endCursor": cursors[-1] if cursors else None},
    }
