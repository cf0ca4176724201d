"""Clients that never stop asking, and count everything that a client would call a failure."""

import itertools
import json
import threading
import time

from harness import Client, Deadline, Ended, Watched

PAUSE_S = 0.05
PATIENCE_S = 120


class Failure:
    """A request that was not answered as it should be."""

    def __init__(self, request_id, began, said):
        self.request_id = request_id
        self.began = began  # time.monotonic()
        self.ended = time.monotonic()
        self.said = said

    def __repr__(self):
        return f"{self.request_id} after {self.ended - self.began:.1f} s: {self.said}"


class Traffic:
    """Clients of one address, until the `with` ends.

    Each sends the next request when the last one is answered: a stream, then one that is answered
    at once, and so on. Every second client keeps its connection, the others take a new one for
    each request. Requests are not repeated, whatever happens to them. Answers have at least
    `tokens` tokens, unless the model ends earlier.
    """

    def __init__(self, address, port, model, clients=6, tokens=8):
        self.failures = Watched()
        self.answered = Watched()  # request ids
        self._to = (address, port)
        self._model = model
        self._tokens = tokens
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._client, args=(number,), daemon=True)
                         for number in range(clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, seconds):
        """For so long, whatever happens."""
        self._stop.wait(seconds)

    def wait_more(self, count):
        """Until so many more requests have been answered as they should be."""
        self.answered.wait_count(len(self.answered) + count, "answers", PATIENCE_S)

    def report(self):
        """All failures, one a line."""
        return "\n".join(map(repr, self.failures))

    def _client(self, number):
        keeps, client = number % 2 == 0, None
        for turn in itertools.count():
            if self._stop.wait(PAUSE_S):
                break
            request_id, began = f"client-{number}-{turn}", time.monotonic()
            stream = turn % 2 == 0
            try:
                client = client or Client(*self._to)
                client.request("POST", "/v1/chat/completions", [("x-request-id", request_id)],
                               self._chat(number, turn, stream))
                response = client.read_response()
            except (OSError, Ended, Deadline) as e:
                self.failures.append(Failure(request_id, began, f"no answer: {e!r}"))
                client = _closed(client)
                continue
            fault = _fault_of(response, stream)
            if fault:
                self.failures.append(Failure(request_id, began, fault))
            else:
                self.answered.append(request_id)
            if not (keeps and response.complete and response.get("connection") != "close"):
                client = _closed(client)
        _closed(client)

    def _chat(self, number, turn, stream):
        # Conversations of four turns, so that some of each prompt is cached somewhere.
        words = f"client {number}, conversation {turn // 4}: " + "and so on " * (turn % 4 + 10)
        return {"model": self._model, "stream": stream, "max_tokens": self._tokens + turn % 17,
                "messages": [{"role": "user", "content": words}]}


def _closed(client):
    if client is not None:
        client.close()


def _fault_of(response, stream):
    """What is wrong with it, or "" if nothing is."""
    ends = ["stop", "length"]
    if response.status == 200 and response.complete and stream:
        events = response.events()
        if events[-1:] == ["[DONE]"] and _finish_reasons(events[:-1])[-1:] in ([e] for e in ends):
            return ""
    elif response.status == 200 and response.complete:
        if response.json()["choices"][0]["finish_reason"] in ends:
            return ""
    return f"{response.head.start!r} complete={response.complete} ... {response.body[-300:]!r}"


def _finish_reasons(events):
    """Of a stream, in their order; an error event counts as one."""
    reasons = []
    for event in map(json.loads, events):
        if "error" in event:
            reasons.append("error")
        reasons += [each["finish_reason"] for each in event.get("choices", ())
                    if each["finish_reason"]]
    return reasons
