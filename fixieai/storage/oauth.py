"""OAuth of people with agents: what an agent keeps of it (encrypted by the caller), and who is under way.

A flow is found by the hash of its state alone: whoever brings the state back has no other name.
"""

from dataclasses import dataclass

from fixieai import errors
from fixieai.storage import statements, users
from fixieai.storage.transaction import Params, Transaction

_SQL = statements.load("oauth")


@dataclass(frozen=True, slots=True)
class Flow:
    """A person whom an agent sent to an OAuth provider."""

    user: users.User
    agent_id: str


def value(transaction: Transaction, user_id: int, agent_id: str, key: str) -> str | None:
    row = transaction.row(_SQL["value"], {"user_id": user_id, "agent_id": agent_id, "key": key})
    return str(row[0]) if row else None


def put_value(
    transaction: Transaction, user_id: int, agent_id: str, key: str, value: str, *, most_keys: int
) -> None:
    """Raises StorageFull for one key more than `most_keys`."""
    params: Params = {"user_id": user_id, "agent_id": agent_id, "key": key, "value": value}
    if transaction.rows(_SQL["others"], params)[0][0] >= most_keys:
        raise errors.StorageFull(f"An agent keeps at most {most_keys} values for OAuth.")
    transaction.execute(_SQL["put_value"], params)


def delete_value(transaction: Transaction, user_id: int, agent_id: str, key: str) -> bool:
    """Whether there was one."""
    params: Params = {"user_id": user_id, "agent_id": agent_id, "key": key}
    return transaction.execute(_SQL["delete_value"], params) > 0


def begin_flow(
    transaction: Transaction, user_id: int, agent_id: str, state_hash: str, now: int, expires: int
) -> None:
    """In place of the one that is open between this person and this agent. Times in Unix seconds."""
    transaction.execute(_SQL["delete_ended_flows"], {"now": now})
    params: Params = {"user_id": user_id, "agent_id": agent_id, "state_hash": state_hash, "expires": expires}
    transaction.execute(_SQL["begin_flow"], params)


def flow(transaction: Transaction, state_hash: str, now: int) -> Flow | None:
    """The open flow of that state."""
    row = transaction.row(_SQL["flow"], {"state_hash": state_hash, "now": now})
    user = users.by_id(transaction, row[0]) if row else None
    return Flow(user, str(row[1])) if row and user else None


def take_flow(transaction: Transaction, state_hash: str) -> bool:
    """Ends a flow. Whether it was open: of two at once, one is told so."""
    return transaction.execute(_SQL["take_flow"], {"state_hash": state_hash}) > 0


def rename_agent(transaction: Transaction, agent_id: str, new_id: str) -> None:
    """What an agent keeps goes with it to its new id. Flows need not: a former id leads to the agent too."""
    forget_agent(transaction, new_id)
    transaction.execute(_SQL["rename_values"], {"agent_id": agent_id, "new_id": new_id})


def forget_agent(transaction: Transaction, agent_id: str) -> None:
    """The tokens of everybody with an agent that is gone."""
    transaction.execute(_SQL["forget_values"], {"agent_id": agent_id})
