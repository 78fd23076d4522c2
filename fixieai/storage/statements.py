"""Named statements from `sql/*.sql`: each stands below a line `-- name: insert`.

aiosql reads the same files. It is not used, because its functions are untyped, take the
connection itself (the checks of `Transaction` would be passed by) and cost 46 ms of import.
"""

import pathlib
import re
from collections.abc import Mapping, Sequence

from fixieai.storage.transaction import Value

_FOLDER = pathlib.Path(__file__).parent / "sql"
_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def load(noun: str) -> Mapping[str, str]:
    """The statements of `sql/{noun}.sql` by name.

    Raises:
        ValueError: two have the same name.
    """
    _, *parts = _NAME.split((_FOLDER / f"{noun}.sql").read_text("utf-8"))
    named = dict(zip(parts[::2], (sql.strip().rstrip(";") for sql in parts[1::2]), strict=True))
    if len(named) < len(parts) // 2:
        raise ValueError(f"{noun}.sql: two statements have the same name")
    return named


def with_list(sql: str, name: str, values: Sequence[Value]) -> tuple[str, dict[str, Value]]:
    """A statement in which `(:name)` stands for a list of one value or more, and its parameters.

    The last value is repeated up to a power of two, so that few different statements are prepared.
    """
    count = 1 << (len(values) - 1).bit_length()
    params = {f"{name}_{number}": values[min(number, len(values) - 1)] for number in range(count)}
    return sql.replace(f"(:{name})", f"({', '.join(f':{key}' for key in params)})"), params
