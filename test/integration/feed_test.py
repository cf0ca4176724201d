"""The feed of the admin port, the pages beside it, and the dashboard's own files."""

import json
import re
import unittest

from harness import (Client, Ended, Gate, GatewayTest, chat_answer, chat_body, chat_events,
                     eventually, http_route, pool_of, stream_answer)

CHAT = "/v1/chat/completions"


class Reader:
    """Reads the feed and keeps what it says, as a dashboard does."""

    def __init__(self, gateway, headers=()):
        self.client = Client(gateway.address, gateway.admin_port)
        self.client.request("GET", "/feed", headers=headers)
        self.head = self.client.read_final_head()
        self.tables = {}
        self.gateway = {}
        self.requests = []
        self.left_out = 0
        self.states = self.changes = 0
        self.text = ""
        if self.head.status == 200:
            self.next()

    def next(self):
        """One more event, applied; comments are none."""
        while True:
            while "\n\n" not in self.text:
                self.text += self.client.read_chunk().decode()
            event, self.text = self.text.split("\n\n", 1)
            if not event.startswith(":"):
                break
        kind, data = event.split("\n")
        told = json.loads(data.removeprefix("data: "))
        self.gateway = told.get("gateway", self.gateway)
        if kind == "event: state":
            self.states += 1
            self.columns = {name: table["columns"] for name, table in told["tables"].items()}
            self.tables = {name: dict(table["rows"]) for name, table in told["tables"].items()}
            self.request_columns = told["requests"]["columns"]
            self.requests = list(told["requests"]["rows"])
            return
        assert kind == "event: change", kind
        self.changes += 1
        for name, change in told.get("tables", {}).items():
            self.tables[name].update(change["set"])
            for gone in change["gone"]:
                del self.tables[name][gone]
        requests = told.get("requests", {"rows": [], "left_out": 0})
        self.requests += requests["rows"]
        self.left_out += requests["left_out"]

    def until(self, reached, what):
        for _ in range(60):
            if found := reached():
                return found
            self.next()
        raise AssertionError(f"the feed never told of {what}: {self.tables}")

    def rows(self, table, **wanted):
        rows = [dict(zip(self.columns[table], cells, strict=True))
                for cells in self.tables[table].values()]
        return [row for row in rows if all(row[name] == value for name, value in wanted.items())]

    def ended(self, **wanted):
        rows = [dict(zip(self.request_columns, cells, strict=True)) for cells in self.requests]
        return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


class FeedTest(GatewayTest):
    def reader(self, gateway, **options):
        reader = Reader(gateway, **options)
        self.addCleanup(reader.client.close)
        return reader

    def test_tells_the_state_and_then_what_changes(self):
        gate = Gate()
        server = self.model_server(stream_answer(chat_events(["a", "b", "c"]), gates={1: gate}),
                                   name="first")
        gateway = self.gateway(pool_of([server]))
        reader = self.reader(gateway)
        self.assertEqual(reader.head.get("content-type"), "text/event-stream")
        self.assertEqual(reader.gateway["phase"], "serving")
        self.assertEqual(reader.gateway["viewers"], 1)
        [pool] = reader.rows("pools")
        self.assertEqual((pool["pool"], pool["kind"], pool["endpoints"], pool["in_flight"]),
                         ("default/test-pool", "InferencePool", 1, 0))
        self.assertEqual(reader.requests, [])
        client = self.client(gateway)
        client.request("POST", CHAT, [("x-request-id", "watched")], chat_body(stream=True))
        client.read_final_head()
        reader.until(lambda: reader.rows("endpoints", pod="first", in_flight=1), "the request")
        reader.until(lambda: reader.rows("totals", in_flight=1), "the sum")
        gate.open()
        client.read_chunks()
        [ended] = reader.until(lambda: reader.ended(id="watched"), "its end")
        self.assertEqual((ended["pod"], ended["status"], ended["outcome"]),
                         ("first", 200, "complete"))
        self.assertGreater(ended["total_ms"], 0)
        self.assertIn("of 1", ended["why"])
        reader.until(lambda: reader.rows("endpoints", pod="first", in_flight=0), "its place")
        reader.until(lambda: [r for r in reader.rows("totals") if r["requests_per_s"] > 0],
                     "the rate")
        self.assertEqual(reader.states, 1)

    def test_a_later_reader_gets_the_same_state(self):
        gateway = self.gateway(pool_of([self.model_server(chat_answer())]))
        first = self.reader(gateway)
        client = self.client(gateway)
        client.request("POST", CHAT, [("x-request-id", "one")], chat_body())
        client.read_response()
        first.until(lambda: first.ended(id="one"), "the request")
        second = self.reader(gateway)
        self.assertEqual(second.columns, first.columns)
        self.assertTrue(second.ended(id="one"))
        first.until(lambda: first.gateway["viewers"] == 2, "the second reader")

    def test_an_ejected_endpoint_a_refused_object_and_another_configuration(self):
        servers = [self.model_server(chat_answer(), name="good"),
                   self.model_server(chat_answer(), name="bad")]
        gateway = self.gateway(pool_of(servers))
        reader = self.reader(gateway)
        [first] = reader.rows("configurations")
        self.assertEqual((first["generation"], first["served"]), (1, True))

        def ask():
            client = self.client(gateway)
            client.request("POST", CHAT, body=chat_body())
            client.read_response()

        servers[1].close()
        for _ in range(30):
            ask()
        [row] = reader.until(lambda: reader.rows("endpoints", pod="bad", state="ejected"),
                             "the ejection")
        self.assertIsInstance(row["ejected_until"], int)
        gateway.write("more.yaml", [http_route("no-such-pool", name="lost")])
        [route] = reader.until(lambda: reader.rows("objects", name="lost", ok=False), "the route")
        self.assertIn("HTTPRoute default/lost: ", route["why"])
        self.assertIn("no-such-pool", route["why"])
        self.assertIn("more.yaml:", route["source"])
        self.assertTrue(any(c["type"] == "ResolvedRefs" and c["status"] == "False"
                            for c in route["conditions"]))
        [newest] = reader.until(lambda: reader.rows("configurations", generation=2), "the change")
        self.assertEqual((newest["added"], newest["changed"], newest["removed"], newest["first"],
                          newest["served"]), (1, 0, 0, "HTTPRoute default/lost", True))
        self.assertEqual(reader.rows("configurations", generation=1)[0]["served"], False)
        (gateway.folder / "more.yaml").unlink()
        reader.until(lambda: not reader.rows("objects", name="lost"), "that it is gone")

    def test_what_a_configuration_has_changed(self):
        server = self.model_server(chat_answer())
        gateway = self.gateway(pool_of([server]))
        route = http_route(name="more")
        gateway.write("more.yaml", [route])
        gateway.wait_metric("penstock_configuration_generation", 2)
        route["metadata"]["annotations"] = {"a.example/b": "c"}
        gateway.write("more.yaml", [route])
        gateway.wait_metric("penstock_configuration_generation", 3)
        told = json.loads(gateway.admin("/configuration?generation=3").body)
        [changed] = told["objects"]
        self.assertEqual(changed["object"], "HTTPRoute default/more")
        added = set(changed["after"].splitlines()) - set(changed["before"].splitlines())
        self.assertEqual(added, {"  annotations:", "    a.example/b: c"})
        self.assertIn("name: more", gateway.admin("/configuration").body.decode())
        self.assertEqual(gateway.admin("/configuration?generation=99").status, 404)
        self.assertEqual(gateway.admin("/configuration?generation=x").status, 400)

    def test_readers_are_limited_and_counted(self):
        gateway = self.gateway([], arguments=["--limit", "admin_feed_readers=2"])
        readers = [self.reader(gateway) for _ in range(2)]
        refused = self.reader(gateway)
        self.assertEqual(refused.head.status, 503)
        gateway.wait_metric("penstock_limit_reached_total", 1, limit="admin_feed_readers")
        readers[0].client.close()
        eventually(lambda: self.reader(gateway).head.status == 200, "a place")

    def test_readers_leave_when_the_gateway_does(self):
        gateway = self.gateway([])
        reader = self.reader(gateway)
        gateway.stop()
        with self.assertRaises(Ended):
            reader.client.take_rest()
            raise Ended("in order")


class DashboardTest(GatewayTest):
    def test_the_page_loads_nothing_but_its_own(self):
        gateway = self.gateway([])
        page = gateway.admin("/")
        self.assertEqual(page.status, 200)
        self.assertEqual(page.get("content-type"), "text/html; charset=utf-8")
        policy = page.get("content-security-policy")
        self.assertIn("default-src 'none'", policy)
        self.assertNotIn("unsafe", policy)
        html = page.body.decode()
        self.assertNotIn("<style", html)
        self.assertEqual(re.findall(r"<script(?![^>]*\ssrc=)", html), [])
        files = re.findall(r'(?:src|href)="([^"#]+)"', html)
        self.assertTrue(files)
        for file in files:
            if file.startswith("data:"):
                continue
            answered = gateway.admin("/" + file.removeprefix(".").removeprefix("/"))
            self.assertEqual(answered.status, 200, file)
            self.assertTrue(answered.body)
            if "/assets/" in file:
                self.assertIn("immutable", answered.get("cache-control"))
        self.assertEqual(gateway.admin("/assets/other.js").status, 404)
        self.assertEqual(gateway.admin("/index.html").status, 404)


if __name__ == "__main__":
    unittest.main()
