"""A model server for the soak: answers that say whose they are, and faults on order.

    replica.py NAME INSTANCE ADDRESS PORT LOG

Token i of an answer is "<id>.<i>@<name> ", so that whoever reads it sees a token that is lost,
repeated or another request's. POST /mode with one of MODES makes it a black hole. LOG gets a line
"<id> <name> <instance> <mode> <time>" before anything is answered, which no kill can take back.
"""

import asyncio
import json
import os
import random
import re
import sys
import time
import zlib

MODES = ("normal", "garbage", "500", "cut")
NAME, INSTANCE, ADDRESS, PORT, LOG = sys.argv[1:]
STREAM = (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
          b"Transfer-Encoding: chunked\r\n\r\n")
# What comes in place of an answer. None of it can be passed on, so all of it is tried again.
GARBAGE = (b"\x16\x03\x01 no HTTP at all\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Le", b"")

log = os.open(LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
mode = "normal"
running = 0


def answer(status, body, content_type="application/json"):
    return (b"HTTP/1.1 %d X\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
            % (status, content_type.encode(), len(body))) + body


def event(id_, i):
    data = (b'data: {"choices":[{"index":0,"delta":{"content":"%s.%d@%s "}}]}\n\n'
            % (id_, i, NAME.encode()))
    return b"%x\r\n%s\r\n" % (len(data), data)


async def stream(id_, request, writer):
    writer.write(STREAM)
    for i in range(request["max_tokens"]):
        await asyncio.sleep(request["pace"])
        writer.write(event(id_, i))
        await writer.drain()
    writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
    await writer.drain()


def execute(head, body):
    """The request and its id. What is not one client's whole request is written down as such."""
    request = json.loads(body)
    id_ = request["user"]
    named = re.search(r"(?mi)^x-request-id: (\S+)\r$", head)
    whole = zlib.crc32(request["messages"][0]["content"].encode()) == request["check"]
    how = mode if whole and named and named[1] == id_ else "mixed"
    os.write(log, f"{id_} {NAME} {INSTANCE} {how} {time.monotonic():.6f}\n".encode())
    return request, id_.encode()


async def infer(head, body, writer):
    """False: the connection ends here."""
    global running
    request, id_ = execute(head, body)
    if mode == "garbage":
        writer.write(random.choice(GARBAGE))
        return False
    if mode == "500":
        writer.write(answer(500, b'{"error":{"message":"%s"}}' % NAME.encode()))
        return True
    if mode == "cut":
        writer.write(STREAM + b"1\r\n:")
        return False
    running += 1
    try:
        if request["stream"]:
            await stream(id_, request, writer)
        else:
            name = NAME.encode()
            text = b"".join(b"%s.%d@%s " % (id_, i, name) for i in range(request["max_tokens"]))
            writer.write(answer(200, b'{"choices":[{"index":0,"message":{"content":"%s"}}]}'
                                % text))
            await writer.drain()
    finally:
        running -= 1
    return True


async def serve(reader, writer):
    global mode
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin1")
            length = re.search(r"(?mi)^content-length: (\d+)\r$", head)
            body = await reader.readexactly(int(length[1]) if length else 0)
            path = head.split(" ", 2)[1]
            if path == "/health":
                writer.write(answer(200, b""))
            elif path == "/metrics":
                writer.write(answer(200, (
                    f"vllm:num_requests_running {running}\nvllm:num_requests_waiting 0\n"
                    f"vllm:kv_cache_usage_perc {min(running / 500, 1)}\n").encode(), "text/plain"))
            elif path == "/mode":
                mode = body.decode()
                assert mode in MODES
                writer.write(answer(200, b"{}"))
            elif not await infer(head, body, writer):
                return
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def main():
    server = await asyncio.start_server(serve, ADDRESS, int(PORT), backlog=1024)
    print("listening", flush=True)
    await server.serve_forever()


asyncio.run(main())
