"""Pools that are split into prefill and decode, and the two halves of a request as fake servers see
them."""

import json

from harness.client import Head
from harness.fake_server import SGLANG_PAGE, answer, chat_answer
from harness.gateway import GatewayTest
from harness.objects import http_route, inference_pool, pod
from harness.wait import Watched

ROLE_LABEL = "rolebasedgroup.workloads.x-k8s.io/role"
BOOTSTRAP_PORT = 34000
CHAT = "/v1/chat/completions"

# As a real server answers, shortened.
KV_TRANSFER_PARAMS = (b'{"do_remote_prefill":true,"do_remote_decode":false,'
                      b'"remote_block_ids":[[67,68]],"remote_engine_id":"1910c1cc",'
                      b'"remote_request_id":"chatcmpl-1","remote_host":"127.0.0.1",'
                      b'"remote_port":8500,"tp_size":1}')


def traffic_policy(runtime, name="pd", prefix=False, annotations=None, pool="test-pool"):
    """An InferenceTrafficPolicy that splits the pool by ROLE_LABEL."""
    profile = {"pdRoleLabelName": ROLE_LABEL}
    if runtime == "sglang":
        profile["kvTransfer"] = {"bootstrapPort": BOOTSTRAP_PORT}
    if prefix:
        profile |= {"trafficPolicy": {"prefixCache": {"mode": "estimate"}},
                    "prefillPolicyRef": "prefixCache", "decodePolicyRef": "prefixCache"}
    return {"apiVersion": "inferenceextension.alibabacloud.com/v1alpha1",
            "kind": "InferenceTrafficPolicy",
            "metadata": {"name": name, "annotations": annotations or {}},
            "spec": {"poolRef": {"name": pool}, "modelServerRuntime": runtime,
                     "profile": {"pd": profile}}}


def role_pod(server, role, runtime=None):
    """A Pod for `server` that has that role; `runtime` overrides the policy's."""
    made = pod(server.name, server.address, port=server.port)
    made["metadata"]["labels"][ROLE_LABEL] = role
    if runtime:
        made["metadata"]["labels"]["llm-d.ai/engine-type"] = runtime
    return made


def prefill_answer(runtime, params=KV_TRANSFER_PARAMS):
    """What a prefill server answers when all is well."""
    body = b'{"id":"chatcmpl-1","choices":[],"kv_transfer_params":%s}' % params
    return answer(200, body if runtime == "vllm" else b'{"id":"x","choices":[]}')


def response_body(recorded):
    """The body of a recorded response with a Content-Length."""
    head, _, body = recorded.partition(b"\r\n\r\n")
    length = int(Head(head).get("content-length"))
    assert len(body) == length, (len(body), length)
    return body


class PairTest(GatewayTest):
    """One prefill server for each script of `prefill`, one decode server for each of `decode`."""

    runtime = None

    def setUp(self):
        self.rooms = Watched()  # SGLang: whose prefill is done

    def good_prefill(self):
        """What a prefill server does when all is well."""
        def script(request, connection):
            if self.runtime == "sglang":
                self.rooms.append(request.json()["bootstrap_room"])
            prefill_answer(self.runtime)(request, connection)
        return script

    def good_decode(self, text="Hello."):
        """The same of a decode server. SGLang's has nothing to answer with before prefill is
        done."""
        def script(request, connection):
            if self.runtime == "sglang":
                room = request.json()["bootstrap_room"]
                connection.wait_until(lambda: room in list(self.rooms))
            chat_answer(text)(request, connection)
        return script

    def start(self, prefill, decode, objects=(), prefix=False, annotations=None, arguments=(),
              route_annotations=None, **rule):
        self.prefill = [self.model_server(script, name=f"prefill-{i}")
                        for i, script in enumerate(prefill)]
        self.decode = [self.model_server(script, name=f"decode-{i}")
                       for i, script in enumerate(decode)]
        servers = self.prefill + self.decode
        for server in servers:
            server.metrics_page = SGLANG_PAGE if self.runtime == "sglang" else None
        route = http_route(**rule)
        route["metadata"]["annotations"] = route_annotations or {}
        pool = inference_pool(servers[0].port)
        del pool["spec"]["extensionRef"]
        self.penstock = self.gateway(
            [route, pool, traffic_policy(self.runtime, prefix=prefix, annotations=annotations)] +
            [role_pod(server, "prefill") for server in self.prefill] +
            [role_pod(server, "decode") for server in self.decode] + list(objects),
            arguments=("--workers", "1", *arguments))
        return self.penstock

    def send_chat(self, text="Hello", **fields):
        """Sends one chat over a connection of its own and returns that, unread."""
        client = self.client(self.penstock)
        body = {"model": "m", "messages": [{"role": "user", "content": text}], **fields}
        client.request("POST", CHAT, body=body)
        return client

    def chat(self, text="Hello", **fields):
        return self.send_chat(text, **fields).read_response()

    def line(self, count=1):
        """The log line of the count-th request that ended."""
        return self.penstock.wait_handled(count)[-1]

    def half_failures(self, half, **labels):
        return self.penstock.metrics().sum("penstock_half_failures_total", half=half, **labels)

    def assert_ended(self, server, count=1):
        """The gateway has ended the connections of the first `count` requests at `server`."""
        for request in server.wait_requests(count):
            server.connections.wait(lambda _, r=request: r.connection.closed_by_peer.is_set(),
                                    f"{server.name}'s half is ended")

    def assert_idle(self):
        """Nothing is in flight on any endpoint."""
        self.penstock.wait_given_back()


def error_of(response):
    """The error object of an answer in OpenAI's shape."""
    return json.loads(response.body)["error"]
