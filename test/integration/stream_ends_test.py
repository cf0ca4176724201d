"""What comes after a stream's last event: nothing that makes it an error."""

import unittest

from harness import (GatewayTest, break_off, chat_body, chat_events, event, http_route, pool_of,
                     stream_answer)

CHUNKED = (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
           b"Transfer-Encoding: chunked\r\n\r\n")
MESSAGES = [b'event: message_start\ndata: {"type":"message_start","message":{"usage":{}}}\n\n',
            b'event: message_stop\ndata: {"type":"message_stop"}\n\n']
RESPONSES = [b'event: response.created\ndata: {"type":"response.created","response":{}}\n\n',
             b'event: response.completed\ndata: {"type":"response.completed","response":{}}\n\n']


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


class AfterTheLastEventTest(GatewayTest):
    def through(self, raw, path="/v1/chat/completions"):
        """The client's response to a stream that ends with `raw` and the end of the connection."""
        server = self.model_server(break_off(raw))
        gateway = self.gateway(pool_of([server]))
        client = self.client(gateway)
        client.request("POST", path, body=chat_body(stream=True))
        response = client.read_response()
        self.line = gateway.wait_handled(1)[0]
        gateway.wait_metric("penstock_pool_endpoints", 1, state="ready")
        self.ejections = gateway.metrics().sum("penstock_ejections_total")
        return response

    def assert_complete(self, response, body, outcome="complete"):
        self.assertEqual(response.body, body)
        self.assertTrue(response.complete)
        self.assertEqual((self.line["outcome"], self.line["tries"]), (outcome, 1))
        self.assertEqual(self.ejections, 0)

    def test_a_server_that_closes_without_the_last_chunk_has_said_all(self):
        for path, events in (("/v1/chat/completions", chat_events(["a"])),
                             ("/v1/completions", [event({"choices": [{"text": "a"}]}),
                                                  event("[DONE]")]),
                             ("/v1/messages", MESSAGES), ("/v1/responses", RESPONSES)):
            with self.subTest(path):
                body = b"".join(events)
                self.assert_complete(self.through(CHUNKED + chunk(body), path), body)

    def test_whatever_stands_in_place_of_the_last_chunk(self):
        body = b"".join(chat_events(["a"]))
        for rest in (b"zz\r\n", b"5\r\nab", b"0", b"0\r\n"):
            with self.subTest(rest=rest):
                response = self.through(CHUNKED + chunk(body) + rest)
                self.assertTrue(response.body.startswith(body))
                self.assertNotIn(b"error", response.body)
                self.assertTrue(response.complete)
                self.assertEqual(self.line["outcome"], "complete")

    def test_the_blank_line_behind_the_last_event_may_be_missing(self):
        body = b"".join(chat_events(["a"]))
        self.assert_complete(self.through(CHUNKED + chunk(body[:-1])), body[:-1])

    def test_an_error_that_the_stream_told_of_stays_one(self):
        body = event({"error": {"message": "no", "code": 500}}) + event("[DONE]")
        self.assert_complete(self.through(CHUNKED + chunk(body)), body, "error_event")

    def test_the_connection_serves_the_next_request(self):
        server = self.model_server(break_off(CHUNKED + chunk(b"".join(chat_events(["a"])))))
        client = self.client(self.gateway(pool_of([server])))
        for _ in range(3):
            client.request("POST", "/v1/chat/completions", body=chat_body(stream=True))
            self.assertTrue(client.read_response().complete)

    def test_a_length_that_was_announced_is_not_reached_and_nothing_is_added(self):
        body = b"".join(chat_events(["a"]))
        response = self.through(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                                b"Content-Length: 10000\r\n\r\n" + body)
        self.assertEqual(response.body, body)
        self.assertFalse(response.complete)
        self.assertEqual(self.line["outcome"], "complete")

    def test_a_stream_that_never_ends_its_message_is_complete_when_time_is_up(self):
        server = self.model_server(stream_answer(chat_events(["a"]), end="hang"))
        objects = pool_of([server])
        for o in objects:
            if o["kind"] == "HTTPRoute":
                o["spec"]["rules"][0]["timeouts"] = {"request": "1s"}
        gateway = self.gateway(objects)
        client = self.client(gateway)
        client.request("POST", "/v1/chat/completions", body=chat_body(stream=True))
        response = client.read_response()
        self.assertEqual(response.body, b"".join(chat_events(["a"])))
        self.assertTrue(response.complete)
        self.assertEqual(gateway.wait_handled(1)[0]["outcome"], "complete")


class ServiceTest(GatewayTest):
    """Streams of a destination whose requests are not read."""

    def objects(self, server):
        return [http_route(path="/", backendRefs=[{"name": "web", "port": 80}]),
                {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
                 "spec": {"ports": [{"name": "http", "port": 80, "targetPort": 8000}]}},
                {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                 "metadata": {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}},
                 "addressType": "IPv4", "ports": [{"name": "http", "port": server.port}],
                 "endpoints": [{"addresses": [server.address]}]}]

    def through(self, raw):
        server = self.model_server(break_off(raw))
        gateway = self.gateway(self.objects(server))
        client = self.client(gateway)
        client.request("POST", "/x", body={})
        response = client.read_response()
        return response, gateway.wait_handled(1)[0]

    def test_done_is_the_end_there_too(self):
        body = b"".join(chat_events(["a"]))
        response, line = self.through(CHUNKED + chunk(body))
        self.assertEqual((response.body, line["outcome"]), (body, "complete"))
        self.assertTrue(response.complete)

    def test_an_event_that_was_cut_is_ended_before_the_error_event(self):
        response, line = self.through(CHUNKED + chunk(b"data: 1\n\ndata: 2"))
        self.assertTrue(response.body.startswith(b"data: 1\n\ndata: 2\n\ndata: {"))
        self.assertEqual(line["outcome"], "upstream_broke")


if __name__ == "__main__":
    unittest.main()
