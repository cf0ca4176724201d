"""A model server for the soak: streams that say whose they are, and faults on order.

    replica.py NAME ADDRESS PORT

Token i of an answer is "<nonce>.<i>@<name> ", so that whoever reads it sees a token that is lost,
repeated or another request's. POST /mode with one of MODES makes it a black hole.
"""

import asyncio
import json
import sys

MODES = ("normal", "garbage", "500", "cut")
NAME, ADDRESS, PORT = sys.argv[1], sys.argv[2], int(sys.argv[3])

mode = "normal"
running = 0
seen = {}  # how often a nonce came


def answer(status, body, content_type="application/json"):
    return (b"HTTP/1.1 %d X\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
            % (status, content_type.encode(), len(body))) + body


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(value):
    return b"data: " + json.dumps(value).encode() + b"\n\n"


async def stream(request, writer):
    nonce, count, pace = request["user"], request["max_tokens"], request["pace"]
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                 b"Transfer-Encoding: chunked\r\n\r\n")
    for i in range(count):
        await asyncio.sleep(pace)
        text = f"{nonce}.{i}@{NAME} "
        writer.write(chunk(event({"choices": [{"index": 0, "delta": {"content": text}}]})))
        await writer.drain()
    writer.write(chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
    await writer.drain()


async def infer(body, writer):
    """False: the connection ends here."""
    global running
    request = json.loads(body)
    seen[request["user"]] = seen.get(request["user"], 0) + 1
    if mode == "garbage":
        writer.write(b"\x16\x03\x01 no HTTP at all\r\n\r\n")
        return False
    if mode == "500":
        writer.write(answer(500, json.dumps({"error": {"message": NAME}}).encode()))
        return True
    if mode == "cut":
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                     b"Transfer-Encoding: chunked\r\n\r\n1\r\n:")
        return False
    running += 1
    try:
        if request.get("stream"):
            await stream(request, writer)
        else:
            text = "".join(f"{request['user']}.{i}@{NAME} " for i in range(request["max_tokens"]))
            writer.write(answer(200, json.dumps(
                {"choices": [{"index": 0, "message": {"content": text}}]}).encode()))
            await writer.drain()
    finally:
        running -= 1
    return True


async def serve(reader, writer):
    global mode
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin1").split("\r\n")
            length = [line[15:] for line in head if line.lower().startswith("content-length:")]
            body = await reader.readexactly(int(length[0]) if length else 0)
            path = head[0].split(" ")[1]
            if path == "/health":
                writer.write(answer(200, b""))
            elif path == "/metrics":
                writer.write(answer(200, (
                    f"vllm:num_requests_running {running}\nvllm:num_requests_waiting 0\n"
                    "vllm:kv_cache_usage_perc 0.1\n").encode(), "text/plain"))
            elif path == "/mode":
                mode = body.decode()
                writer.write(answer(200, b"{}"))
            elif path == "/seen":
                writer.write(answer(200, json.dumps(seen).encode()))
            elif not await infer(body, writer):
                return
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def main():
    server = await asyncio.start_server(serve, ADDRESS, PORT, backlog=1024)
    print("listening", flush=True)
    await server.serve_forever()


asyncio.run(main())
