"""Multipart requests: files put where the variables have null (GraphQL multipart request specification)."""

from collections.abc import Mapping
from typing import Any

from starlette.datastructures import FormData, UploadFile

from fixieai import errors
from fixieai.web.json_body import parse_json

MAXIMUM_FILES = 4
# `operations` and `map`.
MAXIMUM_FIELDS = 2
_DEEPEST = 16


def read_operations(form: FormData) -> object:
    """What `operations` holds, with the files of the form in its variables.

    Raises:
        UnprocessableContent: a part is missing, there is one too many, or the map leads nowhere.
    """
    parts = form.multi_items()
    if len({name for name, _ in parts}) != len(parts):
        raise errors.UnprocessableContent("A part came more than once.")
    operations = parse_json(_field(form, "operations"))
    files = {name: part for name, part in parts if isinstance(part, UploadFile)}
    others = {name for name, _ in parts} - files.keys() - {"operations", "map"}
    if others:
        raise errors.UnprocessableContent("There are parts besides operations, map and files.")
    _place(operations, _map(form), files)
    return operations


def _field(form: FormData, name: str) -> bytes:
    value = form.get(name)
    if not isinstance(value, str):
        raise errors.UnprocessableContent(f"{name}: a part of that name, with JSON, is missing")
    return value.encode("utf-8", "surrogateescape")


def _map(form: FormData) -> Mapping[str, list[str]]:
    found = parse_json(_field(form, "map"))
    if not isinstance(found, dict) or not all(_is_paths(paths) for paths in found.values()):
        raise errors.UnprocessableContent("map: must be an object of lists of paths, one for each file")
    return found


def _is_paths(paths: object) -> bool:
    return isinstance(paths, list) and bool(paths) and all(isinstance(path, str) for path in paths)


def _place(operations: object, places: Mapping[str, list[str]], files: Mapping[str, UploadFile]) -> None:
    if places.keys() != files.keys():
        raise errors.UnprocessableContent("map: must name every file that is sent, and no other")
    taken: set[str] = set()
    for name, paths in places.items():
        for path in paths:
            if path in taken:
                raise errors.UnprocessableContent("map: two files for one place")
            taken.add(path)
            _put(operations, path, files[name])


def _put(operations: object, path: str, file: UploadFile) -> None:
    """Raises UnprocessableContent unless there is a null at that path of the variables."""
    root, *steps = path.split(".")[: _DEEPEST + 1]
    if root == "variables" and steps and isinstance(operations, dict):
        holder: Any = operations
        for step in (root, *steps[:-1]):
            holder = _child(holder, step)
        if _has_null(holder, steps[-1]):
            holder[_key(holder, steps[-1])] = file
            return
    raise errors.UnprocessableContent("map: a path must lead to a null in the variables")


def _key(holder: object, step: str) -> str | int | None:
    if isinstance(holder, list):
        return int(step) if step.isascii() and step.isdecimal() and len(step) < 6 else None
    return step


def _child(holder: Any, step: str) -> Any:
    key = _key(holder, step)
    if isinstance(holder, dict):
        return holder.get(key)
    if isinstance(holder, list) and isinstance(key, int) and key < len(holder):
        return holder[key]
    return None


def _has_null(holder: Any, step: str) -> bool:
    if isinstance(holder, dict):
        return step in holder and holder[step] is None
    key = _key(holder, step)
    return isinstance(holder, list) and isinstance(key, int) and key < len(holder) and holder[key] is None
