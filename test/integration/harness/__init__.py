"""What the integration tests share: the real gateway, fake model servers, a raw HTTP client.

    class RoutingTest(GatewayTest):
        def test_forwards(self):
            server = self.model_server(answer(200, b'{"ok":true}'))
            gateway = self.gateway(pool_of([server]))
            response = gateway.post("/v1/chat/completions", {"model": "m", "messages": []})
            self.assertEqual(response.status, 200)

Everything listens on addresses of a /24 of 127.0.0.0/8 that belongs to this test process alone, and
everything that waits has a deadline (PENSTOCK_TEST_DEADLINE seconds, 20). Standard library only.
With HARNESS_TLS=1 all clients of listeners come by TLS (gateway.tls is set then).
"""

from harness.address import Addresses, free_port
from harness.authority import Authority
from harness.client import Client, Ended, Head, Response, exchange
from harness.collector import Collector
from harness.disaggregation import (BOOTSTRAP_PORT, KV_TRANSFER_PARAMS, ROLE_LABEL, PairTest,
                                    error_of, prefill_answer, response_body, role_pod,
                                    traffic_policy)
from harness.examples import EXAMPLES, example_folders, made_example
from harness.fake_server import (STREAM_HEADERS, Connection, FakeModelServer, PeerGone, Request,
                                 answer, break_off, chat_answer, chat_events, event, hang,
                                 refuse_with_reset, stream_answer)
from harness.gateway import Gateway, GatewayTest, chat_body, penstock
from harness.kube_api import KubeApi
from harness.metrics import Metrics
from harness.objects import (GATEWAY_CLASS, INFERENCE_GROUP, gateway_objects, http_route,
                             inference_model, inference_pool, pod, pool_of)
from harness.tls import TlsTest, tls_secret
from harness.tls_socket import OVER_TLS
from harness.wait import DEADLINE_S, Deadline, Gate, Watched, eventually
