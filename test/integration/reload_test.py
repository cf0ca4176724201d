"""Configuration that changes while the gateway serves."""

import json
import os
import re
import socket
import unittest

from harness import (Gate, Gateway, GatewayTest, answer, chat_answer, chat_body,
                     chat_events, eventually, free_port, gateway_objects, hang, http_route,
                     inference_model, inference_pool, pod, pool_of, stream_answer)

CHAT = "/v1/chat/completions"


class ReloadTest(GatewayTest):
    def named(self, name):
        """A model server that answers with `name`."""
        return self.model_server(answer(200, name.encode()), name=name)

    def wait_generation(self, gateway, generation):
        gateway.wait_metric("penstock_configuration_generation", generation)

    def published(self, gateway):
        return [l["generation"] for l in gateway.lines
                if l.get("message") == "Configuration published"]

    def stream(self, gateway, **options):
        client = options.pop("client", None) or self.client(gateway)
        client.request("POST", CHAT, body=chat_body(stream=True, **options))
        client.read_final_head()
        return client

    def wait_port(self, gateway, port, is_open):
        """Waits until the port answers connections, or until it no longer does; the connection."""
        def reached():
            try:
                client = gateway.connect(port)
            except (ConnectionRefusedError, ConnectionResetError):
                return None if is_open else True
            if is_open:
                self.addCleanup(client.close)
                return client
            client.close()
            return None
        return eventually(reached, f"port {port} {'open' if is_open else 'closed'}")


class FileTest(ReloadTest):
    def test_a_changed_file_takes_effect(self):
        old, new = self.named("old"), self.named("new")
        gateway = self.gateway(pool_of([old]))
        client = self.client(gateway)
        client.request("GET", "/v1/t")
        self.assertEqual(client.read_response().body, b"old")
        gateway.write("objects.yaml", pool_of([new]))
        self.wait_generation(gateway, 2)
        # Also on connections that are open already.
        client.request("GET", "/v1/t")
        self.assertEqual(client.read_response().body, b"new")
        gateway.wait_line("Configuration published", generation=2)

    def test_added_and_removed_files_take_effect(self):
        first, second = self.named("first"), self.named("second")
        gateway = self.gateway(pool_of([first]))
        self.assertEqual(gateway.get("/v2/t").status, 404)
        gateway.write("second.yaml", [http_route("second", "/v2", "second-route")] +
                      pool_of([second], name="second")[1:])
        self.wait_generation(gateway, 2)
        self.assertEqual(gateway.get("/v2/t").body, b"second")
        gateway.remove("second.yaml")
        self.wait_generation(gateway, 3)
        self.assertEqual(gateway.get("/v2/t").status, 404)
        self.assertEqual(gateway.get("/v1/t").body, b"first")

    def test_refused_objects_are_logged_at_start_and_on_reload(self):
        bad = inference_pool(0, name="bad")
        deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}}
        gateway = self.gateway(pool_of([self.named("good")]) + [bad, deployment])
        published = gateway.wait_line("Configuration published", generation=1)
        self.assertEqual(published["refused"], 1)
        refused = gateway.wait_line("Object refused", object="InferencePool default/bad")
        self.assertEqual(refused["level"], "warning")
        self.assertIn("spec.targetPortNumber: must be 1..65535, got 0", refused["error"])
        self.assertIn("objects.yaml:", refused["source"])
        gateway.wait_line("Objects of kinds that Penstock does not read were skipped", objects=1)
        ready = gateway.admin("/readyz")
        self.assertEqual(ready.status, 200)
        self.assertIn("1 refused", ready.body.decode())
        # A rule that needs what is not built, and more bad objects than are logged one by one.
        gateway.write("more.yaml", [http_route("bad", "/v2", "bad-route", filters=[{
            "type": "ExtensionRef", "extensionRef": {"group": "a", "kind": "b", "name": "c"}}])] +
            [inference_pool(0, name=f"bad-{i:02}") for i in range(30)])
        published = gateway.wait_line("Configuration published", generation=2)
        self.assertEqual(published["refused"], 32)
        gateway.wait_line("Object refused", object="HTTPRoute default/bad-route")
        gateway.wait_line("and more objects refused: penstock get all shows them", more=12)
        gateway.remove("more.yaml")
        gateway.write("objects.yaml", pool_of([self.named("good")]))
        eventually(lambda: b"refused" not in gateway.admin("/readyz").body, "nothing refused")

    def test_an_editors_write_and_rename_is_one_change(self):
        servers = [self.named("a"), self.named("b")]
        gateway = self.gateway(pool_of([servers[0]]))
        for i in range(1, 4):
            gateway.write("objects.yaml", pool_of([servers[i % 2]]))
            self.wait_generation(gateway, i + 1)
        # The same content again is no change, nor are files that are not configuration.
        gateway.write("objects.yaml", pool_of([servers[1]]))
        (gateway.folder / "notes.txt").write_text("kind: Nonsense")
        (gateway.folder / ".objects.yaml.swp").write_text("kind: [")
        (gateway.folder / "objects.yaml~").write_text("kind: [")
        gateway.write("objects.yaml", pool_of([servers[0]]))
        self.wait_generation(gateway, 5)
        gateway.wait_line("Configuration published", generation=5)  # lines follow when they can
        self.assertEqual(self.published(gateway), [1, 2, 3, 4, 5])
        self.assertEqual(gateway.get("/v1/t").body, b"a")

    def test_a_file_that_is_written_in_place_is_read_when_it_is_whole(self):
        new = self.named("new")
        gateway = self.gateway(pool_of([self.named("old")]))
        gateway.write("written.yaml", [http_route("written", "/v2", "written-route")] +
                      pool_of([new], name="written")[1:])
        self.wait_generation(gateway, 2)
        text = (gateway.folder / "written.yaml").read_text().replace("/v2", "/v3")
        with open(gateway.folder / "written.yaml", "w", encoding="utf-8") as file:
            file.write(text)
        eventually(lambda: gateway.get("/v3/t").status == 200, "the new path is served")
        self.assertEqual(gateway.get("/v2/t").status, 404)

    def test_a_configmaps_mount_swaps_all_files_at_once(self):
        one, two = self.named("one"), self.named("two")
        gateway = self.gateway(None)
        for version, server in (("1", one), ("2", two)):
            folder = gateway.folder / f"..{version}"
            folder.mkdir()
            (folder / "objects.yaml").write_text(
                "\n---\n".join(json.dumps(o) for o in pool_of([server])))
        os.symlink("..1", gateway.folder / "..data")
        os.symlink("..data/objects.yaml", gateway.folder / "objects.yaml")
        eventually(lambda: gateway.get("/v1/t").body == b"one", "the mounted file is served")
        os.symlink("..2", gateway.folder / "..data.new")
        os.replace(gateway.folder / "..data.new", gateway.folder / "..data")
        eventually(lambda: gateway.get("/v1/t").body == b"two", "the swapped file is served")

    def test_many_reloads_under_load_lose_nothing(self):
        servers = [self.named("a"), self.named("b")]
        gateway = self.gateway(pool_of(servers))
        client = self.client(gateway)
        generation, served = 1, 0
        while generation < 8:
            gateway.write("objects.yaml", pool_of([servers[generation % 2]]))
            generation += 1
            while gateway.metrics().sum("penstock_configuration_generation") < generation:
                client.request("GET", "/v1/t")
                response = client.read_response()
                self.assertEqual(response.status, 200)
                self.assertIsNone(response.get("connection"))
                served += 1
        gateway.wait_metric("penstock_requests_total", served, outcome="complete")


class BrokenEditTest(ReloadTest):
    def assert_last_good_serves(self, gateway):
        gateway.wait_metric("penstock_configuration_rejected", 1)
        self.assertEqual(gateway.get("/v1/t").body, b"good")
        ready = gateway.admin("/readyz")
        self.assertEqual(ready.status, 200)
        return ready.body.decode()

    def test_an_edit_that_does_not_parse_leaves_the_last_good_one_serving(self):
        good, better = self.named("good"), self.named("better")
        gateway = self.gateway(pool_of([good]))
        for broken in ("kind: [", "\t- a: b", "{", "a: b: c"):
            gateway.write("broken.yaml", broken)
            detail = self.assert_last_good_serves(gateway)
            self.assertIn("broken.yaml", detail)
            line = gateway.wait_line(
                "Not everything can be read, the last good objects go on serving")
            self.assertIn("broken.yaml", line["error"])
            gateway.remove("broken.yaml")
            gateway.wait_metric("penstock_configuration_rejected", 0)
        metrics = gateway.metrics()
        self.assertEqual(metrics.sum("penstock_configuration_reloads_total", result="failed"), 4)
        gateway.write("objects.yaml", pool_of([better]))
        eventually(lambda: gateway.get("/v1/t").body == b"better", "the repaired one is served")
        self.assertNotIn("broken.yaml", gateway.admin("/readyz").body.decode())

    def test_a_bad_object_takes_no_other_down(self):
        good = self.named("good")
        gateway = self.gateway(pool_of([good]))
        bad = inference_pool(8000, "bad")
        bad["spec"]["targetPortNumber"] = 0
        gateway.write("bad.yaml", [http_route("bad", "/bad", "bad-route"), bad])
        self.wait_generation(gateway, 2)
        self.assertEqual(gateway.get("/v1/t").body, b"good")
        self.assertEqual(gateway.get("/bad").status, 500)
        self.assertIn("targetPortNumber", gateway.admin("/get?kind=all").body.decode())

    def test_a_folder_that_vanishes_leaves_the_last_good_one_serving(self):
        good = self.named("good")
        gateway = self.gateway(pool_of([good]))
        moved = gateway.folder.with_name(gateway.folder.name + "-away")
        os.rename(gateway.folder, moved)
        self.addCleanup(lambda: os.path.exists(moved) and os.rename(moved, gateway.folder))
        self.assert_last_good_serves(gateway)
        os.rename(moved, gateway.folder)
        gateway.wait_metric("penstock_configuration_rejected", 0)
        self.assertEqual(gateway.get("/v1/t").body, b"good")


class InFlightTest(ReloadTest):
    def test_a_stream_in_flight_outlives_its_configuration(self):
        events = chat_events(["a", "b", "c"])
        gate = Gate("rest of the stream")
        old = self.model_server(stream_answer(events, {1: gate}))
        new = self.named("new")
        gateway = self.gateway(pool_of([old]))
        client = self.stream(gateway)
        self.assertEqual(client.read_chunk(), events[0])
        # Route, pool and endpoint of the stream are gone, twice over.
        gateway.write("objects.yaml", pool_of([new], name="other"))
        self.wait_generation(gateway, 2)
        gateway.remove("objects.yaml")
        self.wait_generation(gateway, 3)
        self.assertEqual(gateway.get("/v1/t").status, 404)
        gate.open()
        self.assertEqual(client.read_chunks(), b"".join(events[1:]))
        line = gateway.wait_line("Request Handled", pod=old.name)
        self.assertEqual((line["outcome"], line["pool"]), ("complete", "default/test-pool"))
        # The connection is in order and sees the new configuration.
        client.request("GET", "/v1/t")
        self.assertEqual(client.read_response().status, 404)

    def test_a_request_keeps_the_configuration_its_head_came_under(self):
        server = self.model_server(chat_answer())
        gateway = self.gateway(pool_of([server]) + [inference_model("alias", targets={"old": 1})])
        client = self.client(gateway)
        body = b'{"model":"alias","messages":[]}'
        client.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                    b"Content-Length: %d\r\n\r\n" % len(body))
        self.assertEqual(client.read_head().status, 100)
        gateway.write("objects.yaml", pool_of([server]) +
                      [inference_model("alias", targets={"new": 1})])
        self.wait_generation(gateway, 2)
        client.send(body)
        self.assertEqual(client.read_response().status, 200)
        client.request("POST", CHAT, body=body)
        self.assertEqual(client.read_response().status, 200)
        self.assertEqual([r.json()["model"] for r in server.requests], ["old", "new"])

    def test_a_removed_endpoint_finishes_what_it_has(self):
        events = chat_events(["a"])
        gate = Gate("rest of the stream")
        leaving = self.model_server(stream_answer(events, {1: gate}))
        staying = self.named("staying")
        gateway = self.gateway(pool_of([leaving]))
        client = self.stream(gateway)
        self.assertEqual(client.read_chunk(), events[0])
        gateway.write("objects.yaml", pool_of([staying]))
        self.wait_generation(gateway, 2)
        for _ in range(5):
            self.assertEqual(gateway.chat().body, b"staying")
        gate.open()
        self.assertEqual(client.read_chunks(), b"".join(events[1:]))
        self.assertEqual(len(leaving.requests), 1)
        line = gateway.wait_line("Request Handled", pod=leaving.name)
        self.assertEqual(line["outcome"], "complete")

    def test_what_is_known_of_endpoints_survives(self):
        servers = [self.model_server(chat_answer()) for _ in range(4)]
        gateway = self.gateway(pool_of(servers, strategy="PREFIX_CACHE"))
        gateway.wait_scraped()
        text = "A conversation that goes on. " * 30
        gateway.chat(text)
        hanging = self.client(gateway)
        place = next(s for s in servers if s.requests)
        for server in servers:
            server.script = hang()
        hanging.request("POST", CHAT, body=chat_body(text))
        place.wait_requests(2)
        for server in servers:
            server.script = chat_answer()
        gateway.write("more.yaml", [inference_model("other", pool="other")])
        self.wait_generation(gateway, 2)
        self.assertEqual(gateway.endpoints()[place.name]["in_flight"], 1)
        gateway.chat(text, headers=[("x-request-id", "after")])
        line = gateway.wait_line("Request Handled", request_id="after")
        self.assertEqual(line["pod"], place.name)
        self.assertGreater(line["prefix_hit_blocks"], 0)
        hanging.close()
        gateway.wait_given_back()


class ListenerTest(ReloadTest):
    def two_listeners(self, script):
        """A gateway whose second Gateway `other` listens on a second port."""
        self.server = self.model_server(script, name="other")
        gateway = self.gateway(pool_of([self.named("first")]))
        port = free_port(gateway.address)
        gateway.write("other.yaml", gateway_objects(port, "other")[1:] +
                      [http_route("other", gateway="other", name="other-route")] +
                      pool_of([self.server], name="other")[1:])
        self.wait_generation(gateway, 2)
        return gateway, port

    def test_listeners_have_routes_of_their_own(self):
        gateway, port = self.two_listeners(answer(200, b"other"))
        client = self.wait_port(gateway, port, True)
        client.request("GET", "/v1/t")
        self.assertEqual(client.read_response().body, b"other")
        self.assertEqual(gateway.get("/v1/t").body, b"first")

    def test_a_removed_listener_drains(self):
        events = chat_events(["a", "b"])
        gate = Gate("rest of the stream")
        gateway, port = self.two_listeners(stream_answer(events, {1: gate}))
        busy = self.wait_port(gateway, port, True)
        idle = self.wait_port(gateway, port, True)
        kept = self.client(gateway)
        self.stream(gateway, client=busy)
        self.assertEqual(busy.read_chunk(), events[0])
        gateway.remove("other.yaml")
        self.assertEqual(idle.wait_closed(), b"")
        self.wait_port(gateway, port, False)
        gate.open()
        self.assertEqual(busy.read_chunks(), b"".join(events[1:]))
        self.assertEqual(busy.wait_closed(), b"")
        # The other listener's connections notice nothing.
        kept.request("GET", "/v1/t")
        self.assertEqual(kept.read_response().body, b"first")

    def test_a_listener_that_comes_back_serves_again(self):
        gateway, port = self.two_listeners(answer(200, b"other"))
        self.wait_port(gateway, port, True)
        text = (gateway.folder / "other.yaml").read_text()
        gateway.remove("other.yaml")
        self.wait_port(gateway, port, False)
        gateway.write("other.yaml", text)
        client = self.wait_port(gateway, port, True)
        client.request("GET", "/v1/t")
        self.assertEqual(client.read_response().body, b"other")

    def test_a_busy_port_is_told_and_does_not_stop_the_rest(self):
        gateway = self.gateway(pool_of([self.named("first")]))
        with socket.socket() as taken:
            taken.bind((gateway.address, 0))
            taken.listen(1)
            port = taken.getsockname()[1]
            gateway.write("other.yaml", gateway_objects(port, "other")[1:])
            eventually(lambda: gateway.admin("/readyz").status == 503, "not ready")
            self.assertIn(f"{gateway.address}:{port}", gateway.admin("/readyz").body.decode())
            self.assertIn("in use", gateway.admin("/readyz").body.decode())
            self.assertEqual(gateway.get("/v1/t").body, b"first")
            shown = gateway.admin("/get?kind=gateways&output=describe").body.decode()
            first, other = shown.split("Gateway default/other")
            self.assertNotIn("False   Invalid", first)
            self.assertRegex(other, r"Accepted +False +PortUnavailable .*in use")
            self.assertRegex(other, r"Programmed +False +Invalid +no listener is served")
        # The port is free now: the gateway finds out by itself.
        eventually(gateway.is_ready, "ready again")
        shown = gateway.admin("/get?kind=gateways&output=describe").body.decode()
        self.assertNotIn("PortUnavailable", shown)
        self.wait_port(gateway, port, True)

    def test_a_port_that_is_busy_from_the_beginning(self):
        address = self.addresses.take()
        with socket.socket() as taken:
            taken.bind((address, 0))
            taken.listen(1)
            port = taken.getsockname()[1]
            gateway = Gateway(address, pool_of([self.named("first")]), port=port, wait_ready=False)
            self.addCleanup(gateway.stop)

            def told():
                try:
                    ready = gateway.admin("/readyz")
                except OSError:
                    return None
                return ready if ready.status == 503 and b"in use" in ready.body else None
            ready = eventually(told, "/readyz tells of the port")
            self.assertIn(f"{address}:{port}", ready.body.decode())
        gateway.wait_ready()
        self.assertEqual(gateway.get("/v1/t").body, b"first")

    def wait_taken(self, gateway, listener, holder, port):
        """The log says which listener wanted the port, and who has it."""
        wanted = (f"listener {listener}\\S+ of the Gateways: listen on {holder.address}:{port}: "
                  f"Address already in use, by \\S*penstock \\(process {holder.process.pid}\\)")
        gateway.lines.wait(
            lambda lines: any(l["message"] == "A listener could not be opened" and
                              re.fullmatch(wanted, l["error"]) for l in lines), wanted)

    def test_two_gateways_do_not_share_a_port(self):
        first = self.gateway(pool_of([self.named("first")]))
        second = Gateway(first.address, pool_of([self.named("second")]), port=first.port,
                         wait_ready=False)
        self.addCleanup(second.stop)
        self.wait_taken(second, "default/inference-gateway/", first, first.port)
        self.assertEqual({first.get("/v1/t").body for _ in range(20)}, {b"first"})
        # The same for a listener that a reload adds; the one who has it does not mistake itself.
        port = free_port(first.address)
        first.write("other.yaml", gateway_objects(port, "other")[1:])
        self.wait_port(first, port, True)
        second.write("other.yaml", gateway_objects(port, "other")[1:])
        self.wait_taken(second, "default/other/", first, port)
        first.write("more.yaml", [http_route("more")])
        self.wait_generation(first, 3)
        self.assertTrue(first.is_ready())
        first.signal()
        first.wait_exit()
        eventually(second.is_ready, "the second gateway has the ports")
        self.assertEqual(second.get("/v1/t").body, b"second")

    def test_a_pod_that_is_added_is_used_at_once(self):
        servers = [self.named("a"), self.named("b")]
        gateway = self.gateway([http_route(), inference_pool(servers[0].port)])
        self.assertEqual(gateway.get("/v1/t").status, 503)
        gateway.write("pod.yaml", [pod(servers[0].name, servers[0].address, port=servers[0].port)])
        self.wait_generation(gateway, 2)
        self.assertEqual(gateway.get("/v1/t").body, b"a")


if __name__ == "__main__":
    unittest.main()
