"""Objects that come from an API server: served, followed, and kept while it is away."""

import os
import signal
import socket
import subprocess
import tempfile
import unittest

from harness import (DEADLINE_S, Addresses, Gateway, GatewayTest, KubeApi, chat_answer, eventually,
                     exchange, free_port, gateway_objects, http_route, inference_pool, penstock,
                     pod)

THEIRS = "example.com/controller"


def run(*arguments, **environment):
    """The command's exit status, and all it wrote."""
    variables = {**os.environ, "HOME": "/nonexistent", **environment}
    done = subprocess.run([penstock(), *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=DEADLINE_S, check=False, env=variables)
    return done.returncode, done.stdout + done.stderr


class ClusterTest(GatewayTest):
    def setUp(self):
        self.api = KubeApi(self.addresses.take())
        self.addCleanup(self.api.stop)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.kubeconfig = self.api.kubeconfig(folder.name)

    def replica(self):
        server = self.model_server(chat_answer())
        return server, pod(server.name, server.address, port=server.port, ready=True)

    def start(self, *pods, **options):
        """A gateway on the cluster, which has a route to a pool of these Pods."""
        port = free_port(self.api.address)
        self.api.apply(*gateway_objects(port), http_route(), inference_pool(8000), *pods)
        return self.gateway([], port=port, kubeconfig=self.kubeconfig, **options)

    def until_served_by(self, gateway, server):
        """Requests go on being answered, and some by that one."""
        before = len(server.requests)

        def served():
            self.assertEqual(gateway.chat().status, 200)
            return len(server.requests) > before
        eventually(served, f"a request for {server.name}")


class FollowTest(ClusterTest):
    def test_what_the_cluster_holds_is_served(self):
        server, replica = self.replica()
        gateway = self.start(replica)
        self.assertEqual(gateway.chat().status, 200)
        self.assertEqual(len(server.requests), 1)
        line = gateway.wait_line("Objects are read from an API server")
        self.assertIn(f"http://{self.api.address}:{self.api.port}", line["server"])
        self.assertIn('context "test"', line["server"])
        self.assertEqual(gateway.wait_line("Starting")["objects"], 5)

    def test_a_pod_that_comes_is_used_and_one_that_goes_is_not(self):
        first, first_pod = self.replica()
        second, second_pod = self.replica()
        gateway = self.start(first_pod)
        self.assertEqual(gateway.chat().status, 200)
        self.api.apply(second_pod)
        self.until_served_by(gateway, second)
        first_pod["metadata"]["deletionTimestamp"] = "2026-01-02T03:04:06Z"
        self.api.apply(first_pod)
        eventually(lambda: set(gateway.endpoints()) == {second.name}, "one endpoint is left")
        before = len(first.requests)
        for _ in range(8):
            self.assertEqual(gateway.chat().status, 200)
        self.assertEqual(len(first.requests), before)
        self.api.delete(second_pod)
        eventually(lambda: not gateway.endpoints(), "no endpoint is left")
        self.assertEqual(gateway.chat().status, 503)

    def test_a_pod_that_is_not_ready_waits_until_it_is(self):
        server, replica = self.replica()
        late, late_pod = self.replica()
        late_pod["status"]["conditions"] = [{"type": "Ready", "status": "False"}]
        gateway = self.start(replica, late_pod)
        self.assertEqual(set(gateway.endpoints()), {server.name})
        late_pod["status"]["conditions"][0]["status"] = "True"
        self.api.apply(late_pod)
        self.until_served_by(gateway, late)

    def test_one_gateway_is_served_alone_and_makes_the_process_ready(self):
        _, replica = self.replica()
        other = gateway_objects(free_port(self.api.address), name="other")[1]
        self.api.apply(other)
        gateway = self.start(replica, arguments=["--gateway", "default/inference-gateway",
                                                 "--write-status", "false"])
        self.assertEqual(gateway.chat().status, 200)
        gateway.wait_line("Configuration published", listeners=1)
        with self.assertRaises(OSError):
            exchange(gateway.address, other["spec"]["listeners"][0]["port"], "GET", "/", [])
        self.assertEqual(gateway.admin("/readyz").status, 200)
        self.api.delete(gateway_objects(gateway.port)[1])
        eventually(lambda: gateway.admin("/readyz").status == 503, "no listener is open")
        self.assertIn(b"nothing listens", gateway.admin("/readyz").body)
        self.assertEqual(self.api.writes, [])

    def test_an_edit_that_breaks_a_route_leaves_it_as_it_was(self):
        _, replica = self.replica()
        gateway = self.start(replica)
        broken = http_route()
        broken["spec"]["rules"][0]["backendRefs"] = "none"
        self.api.apply(broken)
        gateway.wait_metric("penstock_configuration_stale_objects", 1)
        self.assertEqual(gateway.chat().status, 200)
        self.assertIn("Stale", gateway.admin("/get?kind=routes").body.decode())
        self.api.apply(http_route())
        gateway.wait_metric("penstock_configuration_stale_objects", 0)

    def test_a_field_of_a_newer_version_is_a_warning(self):
        _, replica = self.replica()
        gateway = self.start(replica)
        pool = inference_pool(8000)
        pool["spec"]["fieldOfTomorrow"] = {"a": 1}
        self.api.apply(pool)
        gateway.wait_line("Served, and probably not meant", warning="InferencePool "
                          "default/test-pool: it is served without fields that are not known: "
                          "spec.fieldOfTomorrow")
        self.assertEqual(gateway.chat().status, 200)

    def test_requests_go_on_while_the_api_server_is_away_and_changes_are_read_when_it_is_back(self):
        first, first_pod = self.replica()
        second, second_pod = self.replica()
        gateway = self.start(first_pod)
        self.assertEqual(gateway.chat().status, 200)
        self.api.stop()
        eventually(lambda: b"cannot be read" in gateway.admin("/readyz").body, "it is told")
        self.assertEqual(gateway.admin("/readyz").status, 200)
        gateway.wait_metric("penstock_configuration_rejected", 1)
        for _ in range(4):
            self.assertEqual(gateway.chat().status, 200)
        self.api.delete(first_pod)
        self.api.apply(second_pod)
        self.api.start()
        eventually(lambda: set(gateway.endpoints()) == {second.name}, "what changed meanwhile",
                   deadline_s=3 * DEADLINE_S)
        self.until_served_by(gateway, second)
        gateway.wait_metric("penstock_configuration_rejected", 0, deadline_s=3 * DEADLINE_S)
        self.assertNotIn(b"cannot be read", gateway.admin("/readyz").body)
        self.api.apply(first_pod)
        self.until_served_by(gateway, first)

    def test_that_the_api_server_is_away_and_that_it_is_back_is_logged_once(self):
        gateway = self.start(self.replica()[1])
        self.api.stop()
        away = "Not everything can be read, the last good objects go on serving"
        line = gateway.wait_line(away)
        self.assertIn("cannot be read", line["error"])
        # Its resources fail one after the other.
        eventually(lambda: b" more cannot be read" in gateway.admin("/readyz").body, "most of them",
                   deadline_s=3 * DEADLINE_S)
        self.api.start()
        gateway.wait_line("Everything can be read again", deadline_s=3 * DEADLINE_S)
        gateway.wait_metric("penstock_configuration_rejected", 0)
        messages = [line.get("message") for line in gateway.lines]
        self.assertEqual(messages.count(away), 1)
        self.assertEqual(messages.count("Everything can be read again"), 1)

    def test_before_it_drains_it_is_not_ready_for_five_seconds_and_follows_the_cluster(self):
        _, first_pod = self.replica()
        second, second_pod = self.replica()
        gateway = self.start(first_pod, shutdown_delay=None)
        gateway.signal()
        line = gateway.wait_line(
            "Shutting down: not ready any more, requests are served until the drain")
        self.assertEqual(line["delay_s"], 5)
        gateway.signal()
        self.assertEqual(gateway.wait_exit(), 1)
        gateway = self.start(first_pod, shutdown_delay="1h")
        gateway.signal()
        eventually(lambda: gateway.admin("/readyz").status == 503, "not ready")
        self.api.apply(second_pod)
        self.until_served_by(gateway, second)

    def test_sighup_finds_nothing_that_was_not_told(self):
        _, replica = self.replica()
        gateway = self.start(replica)
        gateway.signal(1)
        line = gateway.wait_line("SIGHUP: the configuration was read")
        self.assertEqual((line["changed"], line["error"]), (False, ""))


class FirstLoadTest(ClusterTest):
    """The first load waits a minute for an API server, and nobody who ends it waits for that."""

    def ended_by(self, number):
        gateway = Gateway(self.addresses.take(), [], kubeconfig=self.kubeconfig, wait_ready=False)
        self.addCleanup(gateway.stop)
        gateway.wait_line("Objects are read from an API server")
        gateway.signal(number)
        self.assertEqual(gateway.wait_exit(), 0)
        line = gateway.wait_line("Ended by a signal before the configuration was read")
        self.assertEqual(line["signal"], number.name)

    def test_a_signal_ends_the_wait_for_an_api_server_that_is_away(self):
        self.api.stop()
        self.ended_by(signal.SIGTERM)
        self.ended_by(signal.SIGINT)

    def test_a_signal_ends_the_wait_for_an_api_server_that_says_nothing(self):
        self.api.stop()
        with socket.create_server((self.api.address, self.api.port)):
            self.ended_by(signal.SIGTERM)


class StatusTest(ClusterTest):
    def condition(self, conditions, kind):
        return next((c for c in conditions if c["type"] == kind), {})

    def status(self, kind, name, ns="default"):
        """Once it has one."""
        return eventually(lambda: self.api.get(kind, name, ns).get("status"), f"status of {name}")

    def parents(self, kind, name):
        return self.api.get(kind, name).get("status", {}).get("parents", [])

    def route_is(self, generation, accepted="True"):
        def said():
            ours = [p for p in self.parents("HTTPRoute", "inference-route")
                    if p["controllerName"] != THEIRS]
            condition = self.condition(ours[0]["conditions"], "Accepted") if ours else {}
            return (condition.get("observedGeneration"), condition.get("status")) == (
                generation, accepted)
        eventually(said, f"the route's status is of generation {generation}")

    def holder(self):
        lease = self.api.get("Lease", "penstock")
        return lease["spec"]["holderIdentity"] if lease else ""

    def test_every_object_says_what_became_of_it(self):
        gateway = self.start(self.replica()[1])
        self.route_is(1)
        status = self.status("Gateway", "inference-gateway")
        self.assertEqual({c["type"]: c["status"] for c in status["conditions"]},
                         {"Accepted": "True", "Programmed": "True"})
        self.assertEqual(status["listeners"][0]["attachedRoutes"], 1)
        status = self.status("GatewayClass", "inference-gateway-class", ns="")
        self.assertEqual(self.condition(status["conditions"], "Accepted")["status"], "True")
        self.assertIn({"name": "HTTPRoute"}, status["supportedFeatures"])
        gateway.wait_metric("penstock_kube_leader", 1)

        broken = http_route()
        broken["spec"]["parentRefs"][0]["sectionName"] = "none"
        self.api.apply(broken)
        self.route_is(2, accepted="False")

    def test_what_does_not_change_is_written_once(self):
        gateway = self.start(self.replica()[1])
        self.route_is(1)
        self.api.apply(http_route(name="another", path="/another"))
        eventually(lambda: self.parents("HTTPRoute", "another"), "the other route's status")
        gateway.wait_metric("penstock_kube_leader", 1)
        patched = [path for method, path in self.api.writes if method == "PATCH"]
        self.assertEqual(sum(path.endswith("/inference-route/status") for path in patched), 1)

    def test_what_another_controller_wrote_stays(self):
        theirs = {"parentRef": {"name": "theirs"}, "controllerName": THEIRS,
                  "conditions": []}
        route = http_route()
        route["status"] = {"parents": [theirs]}
        self.api.apply(route)
        self.start(self.replica()[1])
        self.route_is(2)
        self.assertEqual(self.parents("HTTPRoute", "inference-route")[0], theirs)

    def test_one_of_two_writes_and_the_other_goes_on_when_it_ends(self):
        first = self.start(self.replica()[1])
        self.route_is(1)
        holder = self.holder()
        second = self.gateway([], port=first.port, kubeconfig=self.kubeconfig)
        second.wait_metric("penstock_kube_leader", 0)
        self.assertEqual(self.holder(), holder)
        first.signal(15)
        first.wait_exit()
        second.wait_metric("penstock_kube_leader", 1)
        self.assertNotIn(self.holder(), ("", holder))
        self.api.apply(http_route())
        self.route_is(2)

    def test_nothing_is_written_if_a_flag_says_so(self):
        port = free_port(self.api.address)
        self.api.apply(*gateway_objects(port), http_route(), inference_pool(8000),
                       self.replica()[1])
        gateway = self.gateway([], arguments=("--write-status", "false"), port=port,
                               kubeconfig=self.kubeconfig)
        self.assertEqual(gateway.chat().status, 200)
        gateway.signal(15)
        gateway.wait_exit()
        self.assertEqual(self.api.writes, [])


class CheckTest(ClusterTest):
    def test_it_tells_what_the_objects_would_get_and_writes_nothing(self):
        broken = http_route(name="broken")
        broken["spec"]["parentRefs"][0]["sectionName"] = "none"
        self.api.apply(*gateway_objects(80), http_route(), inference_pool(8000), broken)
        status, said = run("check", "--kubernetes", "--kubeconfig", self.kubeconfig)
        self.assertEqual(status, 1)
        self.assertIn("HTTPRoute default/broken", said)
        self.assertIn("NoMatchingParent", said)
        self.assertIn(f"objects in http://{self.api.address}:{self.api.port}", said)
        self.assertIn("1 refused", said)
        self.assertEqual(self.api.writes, [])
        self.api.delete(broken)
        status, said = run("check", "--kubernetes", "--kubeconfig", self.kubeconfig)
        self.assertEqual((status, "nothing refused" in said), (0, True))


class AddressTest(ClusterTest):
    def pooled(self, *told):
        """A gateway with an address pool of two, of which these are told by its Gateway's status;
        and the two."""
        _, replica = self.replica()
        pool = self.addresses.take(2)
        port = free_port(pool[0])
        objects = gateway_objects(port)
        objects[1]["status"] = {
            "addresses": [{"type": "IPAddress", "value": pool[i]} for i in told]}
        self.api.apply(*objects, http_route(), inference_pool(8000), replica)
        networks = [part for ip in pool for part in ("--address-pool", f"{ip}/32")]
        return self.gateway([], port=port, kubeconfig=self.kubeconfig, arguments=networks), pool

    def answers_at(self, ip, gateway):
        try:
            return exchange(ip, gateway.port, "GET", "/", tls=gateway.tls).status == 404
        except ConnectionRefusedError:
            return False

    def told(self, gateway):
        return gateway.admin("/get?kind=gateways").body.decode()

    def test_each_gateway_is_listened_for_at_an_address_of_its_own(self):
        gateway, (first, second) = self.pooled()
        self.assertTrue(self.answers_at(first, gateway))
        self.assertFalse(self.answers_at(gateway.address, gateway))
        others = [gateway_objects(gateway.port, f"other-{i}")[1] for i in (1, 2)]
        self.api.apply(*others, http_route(gateway="other-1", name="other"))
        eventually(lambda: self.answers_at(second, gateway), "the other Gateway")
        self.assertIn("AddressNotAssigned", self.told(gateway))
        self.api.delete(others[0])
        eventually(lambda: "AddressNotAssigned" not in self.told(gateway), "it is free")

    def test_what_a_gateways_status_tells_is_kept_over_a_restart(self):
        gateway, (first, second) = self.pooled(1)
        self.assertTrue(self.answers_at(second, gateway))
        self.assertFalse(self.answers_at(first, gateway))
        generation = gateway.metrics().sum("penstock_configuration_generation")
        objects = gateway_objects(gateway.port)
        objects[1]["status"] = {"addresses": [{"type": "IPAddress", "value": first}]}
        self.api.apply(objects[1])
        _, late = self.replica()
        self.api.apply(late)
        gateway.wait_metric("penstock_configuration_generation", generation + 1)
        self.assertTrue(self.answers_at(second, gateway))

    def test_the_service_in_front_is_what_gateways_tell(self):
        _, replica = self.replica()
        port = free_port(self.api.address)
        self.api.apply(*gateway_objects(port), http_route(), inference_pool(8000), replica)
        gateway = self.gateway([], port=port, kubeconfig=self.kubeconfig,
                               arguments=("--service", "default/front"))
        self.assertIn("AddressNotAssigned", self.told(gateway))
        self.assertEqual(gateway.chat().status, 200)
        front = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "front"},
                 "spec": {"type": "LoadBalancer", "ports": [{"port": port}]}}
        self.api.apply(front)
        front["status"] = {"loadBalancer": {"ingress": [{"ip": "192.0.2.5"}]}}
        self.api.apply(front)
        eventually(lambda: "192.0.2.5" in self.told(gateway), "its address")
        self.assertNotIn("AddressNotAssigned", self.told(gateway))
        other = gateway_objects(free_port(self.api.address), "other")[1]
        self.api.apply(other)

        def ports():
            return sorted(p["port"] for p in self.api.get("Service", "front")["spec"]["ports"])
        wanted = sorted((port, other["spec"]["listeners"][0]["port"]))
        eventually(lambda: ports() == wanted, "a listener's port is one of the Service")


class PickerTest(ClusterTest):
    def service(self, name, **labels):
        return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "labels": labels},
                "spec": {"ports": [{"port": 9002}]}}

    def test_the_services_of_pickers_that_ours_stands_in_for(self):
        _, replica = self.replica()
        self.api.apply(self.service("inference-gateway-ext-proc"))
        gateway = self.start(replica)
        self.assertEqual(gateway.chat().status, 200)
        pool = inference_pool(8000)
        pool["spec"]["extensionRef"]["name"] = "picker"
        self.api.apply(self.service("picker"), pool)
        eventually(lambda: gateway.chat().status == 500, "it is somebody else's")
        self.api.apply(self.service("picker", **{"penstock.dev/picker": "built-in"}))
        eventually(lambda: gateway.chat().status == 200, "it is ours")
        self.api.apply(self.service("picker"))
        eventually(lambda: gateway.chat().status == 500, "it is not any more")
        self.api.delete(self.service("picker"))
        eventually(lambda: gateway.chat().status == 200, "there is none")


class FlagTest(unittest.TestCase):
    addresses = Addresses()

    def test_flags_that_do_not_go_together_are_refused(self):
        for arguments, error in (
                (("serve",), "PATH is required: files or folders of objects, or --kubernetes"),
                (("serve", "--kubernetes", "-f", "x"), "--file excludes --kubernetes"),
                (("serve", "--kubernetes", "x"), "PATH excludes --kubernetes"),
                (("serve", "--kubeconfig", "x", "-f", "x"), "--kubeconfig requires --kubernetes"),
                (("serve", "--context", "x", "-f", "x"), "--context requires --kubernetes"),
                (("serve", "--lease", "x", "-f", "x"), "--lease requires --kubernetes"),
                (("serve", "--write-status", "false", "-f", "x"),
                 "--write-status requires --kubernetes"),
                (("serve", "--address-pool", "10.0.0.0/24", "-f", "x"),
                 "--address-pool requires --kubernetes"),
                (("serve", "--service", "a/b", "-f", "x"), "--service requires --kubernetes"),
                (("serve", "--infrastructure", "shared", "-f", "x"),
                 "--infrastructure requires --kubernetes"),
                (("serve", "--kubernetes", "--service", "a/b", "--address-pool", "10.0.0.0/24"),
                 "--service excludes --address-pool"),
                (("serve", "--kubernetes", "--infrastructure", "managed"),
                 "--infrastructure managed requires --managed-from"),
                (("serve", "--kubernetes", "--managed-from", "a/b"),
                 "--managed-from requires --infrastructure managed"),
                (("serve", "--kubernetes", "--infrastructure", "managed", "--managed-from", "a"),
                 "--managed-from: must be NAMESPACE/NAME of a Deployment"),
                (("serve", "--kubernetes", "--infrastructure", "managed", "--managed-from", "a/b",
                  "--service", "a/c"), "--service excludes --infrastructure managed"),
                (("serve", "--kubernetes", "--gateway", "web"),
                 "--gateway: must be NAMESPACE/NAME of a Gateway"),
                (("serve", "--gateway", "a/b", "-f", "x"), "--gateway requires --kubernetes"),
                (("serve", "--kubernetes", "--infrastructure", "share"),
                 '--infrastructure: must be shared or managed, got "share", did you mean '
                 '"shared"?'),
                (("serve", "--kubernetes", "--service", "penstock"),
                 "--service: must be NAMESPACE/NAME of a Service"),
                (("serve", "--kubernetes", "--address-pool", "10.0.0.1/24"),
                 "--address-pool: must be a network, 10.0.0.1/24 is an address in 10.0.0.0/24"),
                (("serve", "--kubernetes", "--address-pool", "10.0.0.0/24", "--address-pool",
                  "10.0.0.0/25"),
                 "--address-pool: 10.0.0.0/24 and 10.0.0.0/25 have addresses in common"),
                (("check",), "PATH is required: files or folders of objects, or --kubernetes"),
                (("check", "--kubernetes", "x"), "PATH excludes --kubernetes")):
            with self.subTest(arguments):
                status, said = run(*arguments)
                self.assertNotEqual(status, 0)
                self.assertIn(error, said)

    def test_what_is_wrong_with_the_kubeconfig_is_said_at_start(self):
        with tempfile.TemporaryDirectory() as folder:
            none = f"{folder}/none"
            status, said = run("serve", "--kubernetes", "--kubeconfig", none)
            self.assertEqual(status, 1)
            self.assertIn(f"penstock serve: --kubernetes: {none}", said)
            api = KubeApi(self.addresses.take())
            self.addCleanup(api.stop)
            status, said = run("serve", "--kubernetes", "--kubeconfig", api.kubeconfig(folder),
                               "--context", "other")
            self.assertEqual(status, 1)
            self.assertIn('--kubernetes: context "other" is in none of', said)
            for name in ("Upper/a", "a/b/c", "a/", "-"):
                status, said = run("serve", "--kubernetes", "--kubeconfig", api.kubeconfig(folder),
                                   "--lease", name)
                self.assertEqual(status, 1)
                self.assertIn(f'--lease: must be [NAMESPACE/]NAME, got "{name}"', said)

    def test_in_a_pod_the_service_account_is_used_unless_a_kubeconfig_is_named(self):
        pod_variables = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "1"}
        status, said = run("serve", "--kubernetes", KUBECONFIG="", **pod_variables)
        self.assertEqual(status, 1)
        self.assertIn("/var/run/secrets/kubernetes.io/serviceaccount/token", said)
        status, said = run("serve", "--kubernetes", KUBECONFIG="/nonexistent/a", **pod_variables)
        self.assertEqual(status, 1)
        self.assertIn("there is no /nonexistent/a", said)


if __name__ == "__main__":
    unittest.main()
