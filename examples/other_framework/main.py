"""An agent without the SDK: any HTTP service that answers POST / is one."""

from aiohttp import web


async def answer(request: web.Request) -> web.Response:
    question = (await request.json())["message"]["text"]
    return web.json_response({"message": {"text": question[::-1]}})


app = web.Application()
app.add_routes([web.post("/", answer)])

if __name__ == "__main__":
    web.run_app(app, host="127.0.0.1", port=8190)
