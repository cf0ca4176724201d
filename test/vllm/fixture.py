"""What the tests in front of real vLLM servers share."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import openai

from harness import GatewayTest, eventually, inference_model, pool_of
from server import MODEL, VllmServer

FOREVER = {"ignore_eos": True}  # the tiny model's text is noise: it would stop anywhere
MESSAGES = [{"role": "user", "content": "Count to ten."}]
LONG_TOKENS = 3000  # half a minute of generation


def start_servers(*names, **options):
    """In setUpModule: servers that live until the module's tests are over.

    No more than two modules' worth may run at once, as two servers fill two cores.
    """
    servers = [VllmServer(name, GatewayTest.addresses.take(), **options) for name in names]
    for server in servers:
        print(f"starting vLLM {server.name}", file=sys.stderr, flush=True)
        unittest.addModuleCleanup(server.kill)
        server.start()
    for server in servers:
        server.wait_ready()
        print(f"vLLM {server.name} is ready", file=sys.stderr, flush=True)
    return servers


class VllmTest(GatewayTest):
    """The OpenAI SDK, the gateway, and servers that are all well and idle."""

    servers = []  # of the module

    def objects(self):
        """What the gateway is configured with."""
        return pool_of(self.servers) + [inference_model(MODEL)]

    def setUp(self):
        for server in self.servers:
            if server.process.poll() is not None or not server.is_healthy():
                server.kill()
                server.start()
        for server in self.servers:
            server.wait_ready()
            eventually(lambda s=server: s.running() == 0, f"{server.name} idle")
        self.penstock = self.gateway(self.objects())
        self.url = f"http://{self.penstock.address}:{self.penstock.port}/v1"
        self.client = self.sdk(self.url)

    def sdk(self, url):
        """A client of the OpenAI SDK that shows every failure instead of trying again."""
        client = openai.OpenAI(base_url=url, api_key="none", max_retries=0, timeout=120)
        self.addCleanup(client.close)
        return client

    def stream(self, max_tokens=LONG_TOKENS, messages=None, client=None, **options):
        return (client or self.client).chat.completions.create(
            model=MODEL, messages=messages or MESSAGES, stream=True, max_tokens=max_tokens,
            temperature=0, extra_body=FOREVER, **options)
