"""What wrk sends: prompts that never repeat, as real ones do not."""

import json
import os
import re
import subprocess
import sys

from fleet import LOAD_CORE, MODEL

# Requests made one by one in wrk's Lua. Every prompt begins with a number that no other has, which
# makes all of its blocks unseen; the rest is text with the escapes that text has.
COMMON = r"""
local seed = "%(seed)s"
local sent = 0
local line = "The water runs down the penstock and drives the wheel, \\\"as ever\\\".\\n"
local text = string.rep(line, math.ceil(%(bytes)d / #line) + 1)
local function post(body)
  return "POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\n" ..
         "Content-Type: application/json\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
end
local function unseen() sent = sent + 1 return string.format("%%s-%%010d ", seed, sent) end
-- An escape that is cut in two is no JSON.
local function cut(bytes)
  local part = string.sub(text, 1, bytes)
  return (string.gsub(part, "\\+$", ""))
end
"""

SINGLE = """
local head = '{"model":"%(model)s","max_tokens":%(tokens)d,%(fields)s"messages":' ..
             '[{"role":"user","content":"'
local tail = cut(%(bytes)d) .. '"}]}'
function request() return post(head .. unseen() .. tail) end
"""

# wrk does not say which connection asks, so as many conversations as there are connections take
# turns. A conversation begins with one of some system prompts and grows by question and answer.
CONVERSATIONS = """
local conversations, systems, turn_max = %(connections)d, 16, 6
local head = '{"model":"%(model)s","max_tokens":%(tokens)d,"messages":[{"role":"system","content":"'
local prompts, texts, turns, at = {}, {}, {}, 0
for i = 1, systems do
  prompts[i] = head .. seed .. " system " .. i .. " " .. cut(%(bytes)d) .. '"}'
end
local question, answer = cut(400), cut(600)
function request()
  at = at %% conversations + 1
  local turn = turns[at]
  if turn == nil then turn = math.random(1, turn_max)  -- at first: all stages, not all alike
  elseif turn >= turn_max then turn = 1
  else turn = turn + 1 end
  if turn == 1 or texts[at] == nil then texts[at] = prompts[math.random(systems)]
  else texts[at] = texts[at] .. ',{"role":"assistant","content":"' .. unseen() .. answer .. '"}' end
  texts[at] = texts[at] .. ',{"role":"user","content":"' .. unseen() .. question .. '"}'
  turns[at] = turn
  return post(texts[at] .. "]}")
end
"""

PACE = "function delay() return math.random(%d, %d) end\n"


class Load:
    """`kind` is SINGLE or CONVERSATIONS; `bytes`: of a prompt's text, or of a system prompt's;
    `pace_ms`: how long each connection rests after an answer, about."""

    def __init__(self, kind, size, connections, tokens=16, pace_ms=None, scheme="http",
                 **fields):
        self.kind = kind
        self.size = size
        self.connections = connections
        self.tokens = tokens
        self.pace_ms = pace_ms
        self.scheme = scheme
        self.fields = fields

    def script(self):
        values = {"seed": os.urandom(6).hex(), "bytes": self.size, "model": MODEL,
                  "tokens": self.tokens, "connections": self.connections,
                  "fields": "".join(f"{json.dumps(name)}:{json.dumps(value)},"
                                    for name, value in self.fields.items())}
        pace = "" if self.pace_ms is None else PACE % (self.pace_ms // 2, self.pace_ms * 3 // 2)
        return COMMON % values + self.kind % values + pace


class Answers:
    """What wrk saw; times in microseconds."""

    def __init__(self, text):
        self.requests = int(re.search(r"(\d+) requests in", text)[1])
        self.rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
        self.failed = sum(int(number) for number in re.findall(
            r"(?:Non-2xx or 3xx responses:|connect|read|write|timeout) (\d+)", text))
        percentiles = {}
        found = re.findall(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s|m)\s*$", text, re.M)
        for percent, value, unit in found:
            percentiles[percent] = float(value) * {"us": 1, "ms": 1e3, "s": 1e6, "m": 6e7}[unit]
        self.p50 = percentiles["50"]
        self.p99 = percentiles["99"]


def run_wrk(load, address, seconds, work, failed_share_max=0):
    """Ends the program if a larger share than that has failed."""
    script = work / "load.lua"
    script.write_text(load.script())
    command = ["taskset", "-c", LOAD_CORE, "wrk", "-t1", f"-c{load.connections}",
               f"-d{seconds}s", "--latency", "--timeout", "30s", "-s", str(script),
               f"{load.scheme}://{address}/v1/chat/completions"]
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          timeout=seconds + 60)
    if done.returncode != 0:
        sys.exit(f"wrk failed at {address}:\n{done.stdout}{done.stderr}")
    answers = Answers(done.stdout)
    if answers.requests == 0 or answers.failed > failed_share_max * answers.requests:
        sys.exit(f"requests failed at {address}:\n{done.stdout}")
    return answers
