"""A language model that calls its one tool once, then answers; without one it says how much it was sent."""

from typing import Any

from fixieai.testing.model_server import Calls, ModelServer, Reply, Says


def reply_to(body: dict[str, Any]) -> Reply:
    server.requests.clear()
    messages = body["messages"]
    if "tools" not in body:
        return Says(f"{len(messages)} messages")
    if messages[-1]["role"] == "user":
        return Calls([(body["tools"][0]["function"]["name"], '{"query": "20 1"}')])
    return Says("You rolled a 12!")


server = ModelServer(reply_to)

if __name__ == "__main__":
    print(server.base_url, flush=True)
    server.run()
