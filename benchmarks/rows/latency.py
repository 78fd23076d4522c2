"""How much longer a query takes than the calls it makes: the few-shot model, one func, on the clock."""

from benchmarks import system
from benchmarks.measuring import medians, timed
from benchmarks.processes import Child, Connection
from benchmarks.table import Row

_FUNC_BODY = {"message": {"text": "20 1", "embeds": {}}}


def measure(quick: bool) -> list[Row]:
    calls = 20 if quick else 400
    with (
        system.running(system.FEW_SHOT) as running,
        Child("-m", "benchmarks.servers.bare") as bare,
    ):
        bare_url = bare.address()
        with Child("-m", "benchmarks.servers.relay", bare_url, bare_url) as relay:
            agent, upstream = Connection(running.agent_url, running.token), Connection(bare_url)
            client = Connection(relay.address())
            found = medians(
                {
                    "func": timed(lambda: agent.call("POST", "/roll", _FUNC_BODY)),
                    "query": timed(running.ask),
                    "bare_func": timed(lambda: upstream.call("POST", "/func", _FUNC_BODY)),
                    "relayed": timed(lambda: client.call("POST", "/func", _FUNC_BODY)),
                },
                calls,
            )
    return [
        Row(
            "latency added to a query, p50",
            "ms",
            ours=1e3 * (found["query"] - found["func"]),
            floor=1e3 * (found["relayed"] - found["bare_func"]),
            note="Five commits that wait for the disk are in it; the floor waits for none.",
        )
    ]
