"""The Responses API: what one endpoint has made is asked for there."""

import itertools
import json
import unittest

from harness import GatewayTest, answer, event, pool_of, stream_answer


class Keeper:
    """Makes responses under ids of its own, and knows those only."""

    numbers = itertools.count()

    def __init__(self):
        self.made = set()

    def __call__(self, request, connection):
        path = request.path
        if request.method == "POST" and path == "/v1/responses":
            return self.make(request)(request, connection)
        known = path.split("/")[3] in self.made
        return answer(200 if known else 404, b'{"object":"response"}')(request, connection)

    def make(self, request):
        body = request.json()
        previous = body.get("previous_response_id")
        if previous is not None and previous not in self.made:
            return answer(404, b'{"error":{"message":"no such response"}}')
        made = f"resp_{next(self.numbers):032x}"
        self.made.add(made)
        if body.get("stream"):
            return stream_answer([
                event(json.dumps({"type": "response.created", "response": {"id": made}})),
                event(json.dumps({"type": "response.completed", "response": {"id": made}}))])
        return answer(200, json.dumps({"id": made, "object": "response"}).encode(),
                      headers=[("content-type", "application/json")])


class ResponsesTest(GatewayTest):
    def start(self):
        self.keepers = [Keeper() for _ in range(4)]
        servers = [self.model_server(keeper) for keeper in self.keepers]
        return self.gateway(pool_of(servers))

    def make(self, gateway, **fields):
        made = gateway.post("/v1/responses", {"model": "test-model", "input": "hi", **fields})
        self.assertEqual(made.status, 200)
        if fields.get("stream"):
            return json.loads(made.events()[0])["response"]["id"]
        return made.json()["id"]

    def test_a_response_is_found_again(self):
        gateway = self.start()
        for fields in ({}, {"stream": True}):
            for _ in range(10):
                made = self.make(gateway, **fields)
                self.assertEqual(gateway.get(f"/v1/responses/{made}").status, 200)
                self.assertEqual(gateway.post(f"/v1/responses/{made}/cancel", {}).status, 200)
        self.assertGreater(len([k for k in self.keepers if k.made]), 1, "several have made some")

    def test_a_conversation_stays_where_it_began(self):
        gateway = self.start()
        for _ in range(10):
            last = self.make(gateway)
            for _ in range(3):
                last = self.make(gateway, previous_response_id=last)

    def test_an_unknown_one_is_what_an_endpoint_says(self):
        gateway = self.start()
        self.assertEqual(gateway.get("/v1/responses/resp_unknown").status, 404)
        self.assertEqual(gateway.post("/v1/responses", {
            "model": "test-model", "input": "hi",
            "previous_response_id": "resp_unknown"}).status, 404)


if __name__ == "__main__":
    unittest.main()
