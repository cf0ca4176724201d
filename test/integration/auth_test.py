"""API keys out of Secrets, and rate limits by their owners."""

import json
import unittest

from harness import (GatewayTest, answer, chat_body, chat_events, eventually,
                     pool_of, stream_answer)

CHAT = "/v1/chat/completions"
KEYS = {"penstock.dev/api-keys": "app=keys"}


def secret(entries, name="keys", labels=None, annotations=None):
    return {"apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": name, "labels": labels or {"app": "keys"},
                         "annotations": annotations or {}},
            "stringData": entries}


def completion(prompt_tokens, completion_tokens):
    return answer(200, json.dumps({
        "id": "c", "object": "chat.completion", "created": 1, "model": "test-model",
        "choices": [{"index": 0, "finish_reason": "stop",
                     "message": {"role": "assistant", "content": "hello"}}],
        "usage": {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens,
                  "total_tokens": prompt_tokens + completion_tokens}}).encode(),
        headers=[("content-type", "application/json")])


def bearer(key):
    return [("Authorization", f"Bearer {key}")]


class AuthTest(GatewayTest):
    def start(self, script=None, annotations=KEYS, secrets=None):
        self.server = self.model_server(script or completion(10, 5))
        objects = pool_of([self.server])
        objects[0]["metadata"]["annotations"] = dict(annotations)
        self.objects = objects
        self.gateway_ = self.gateway(objects + (secrets or [secret({"alice": "sk-a",
                                                                    "bob": "sk-b"})]))
        return self.gateway_

    def sent(self):
        return self.server.requests[-1]


class KeyTest(AuthTest):
    def test_without_a_known_key_it_is_401_in_the_clients_dialect(self):
        gateway = self.start()
        for headers in ([], bearer("sk-x"), [("x-api-key", "")], [("Authorization", "sk-a")]):
            refused = gateway.chat(headers=headers)
            self.assertEqual(refused.status, 401, headers)
            self.assertEqual(refused.json()["error"]["code"], "invalid_api_key")
            self.assertEqual(refused.get("www-authenticate"), "Bearer")
        refused = gateway.post("/v1/messages", {"model": "m", "max_tokens": 1, "messages": []})
        self.assertEqual(refused.status, 401)
        self.assertEqual(refused.json()["error"]["type"], "authentication_error")
        self.assertEqual(len(self.server.requests), 0)

    def test_the_key_opens_and_stays_here(self):
        gateway = self.start()
        for headers in (bearer("sk-a"), [("x-api-key", "sk-a")]):
            self.assertEqual(gateway.chat(headers=headers).status, 200)
            self.assertIsNone(self.sent().get("authorization"))
            self.assertIsNone(self.sent().get("x-api-key"))
        line = gateway.wait_line("Request Handled", owner="alice")
        self.assertNotIn("sk-a", json.dumps(line))
        gateway.wait_metric("penstock_owner_requests_total", 2, owner="alice")

    def test_the_key_goes_on_where_that_is_asked_for(self):
        gateway = self.start(annotations={**KEYS, "penstock.dev/api-keys-forward": "true"})
        self.assertEqual(gateway.chat(headers=bearer("sk-b")).status, 200)
        self.assertEqual(self.sent().get("authorization"), "Bearer sk-b")

    def test_model_lists_want_a_key_too(self):
        gateway = self.start()
        self.assertEqual(gateway.get("/v1/models").status, 401)
        listed = gateway.get("/v1/models", headers=bearer("sk-a"))
        self.assertEqual(listed.status, 200)
        asked = [p for p in self.server.probes if p.path == "/v1/models"]
        self.assertTrue(asked)
        self.assertTrue(all(p.get("authorization") is None for p in asked))

    def test_an_edited_secret_takes_effect_and_breaks_nothing_off(self):
        gateway = self.start(stream_answer(chat_events(["a", "b"])))
        self.assertEqual(gateway.chat(headers=bearer("sk-a"), stream=True).status, 200)
        gateway.write("objects.yaml", self.objects + [secret({"carol": "sk-c"})])
        eventually(lambda: gateway.chat(headers=bearer("sk-c"), stream=True).status == 200,
                   "the new key opens")
        self.assertEqual(gateway.chat(headers=bearer("sk-a")).status, 401)

    def test_labels_that_find_nothing_close_the_route_and_say_so(self):
        gateway = self.start(secrets=[secret({"alice": "sk-a"}, labels={"app": "other"})])
        self.assertEqual(gateway.chat(headers=bearer("sk-a")).status, 401)
        eventually(lambda: any("no Secret in namespace default has these labels" in str(line)
                               for line in gateway.lines), "the log says it")

    def test_no_page_shows_a_key(self):
        gateway = self.start()
        for page in ("/config", "/metrics", "/endpoints"):
            self.assertNotIn(b"sk-a", gateway.admin(page).body, page)


class RateTest(AuthTest):
    def limited(self, script=None, **limits):
        annotations = {f"penstock.dev/{name.replace('_', '-')}-per-minute": str(count)
                       for name, count in limits.items()}
        return self.start(script, secrets=[secret({"alice": "sk-a"}, annotations=annotations),
                                           secret({"bob": "sk-b"}, name="unlimited")])

    def test_beyond_the_requests_it_is_429_for_that_owner_only(self):
        gateway = self.limited(requests=3)
        for left in (2, 1, 0):
            served = gateway.chat(headers=bearer("sk-a"))
            self.assertEqual(served.status, 200)
            self.assertEqual(served.get("x-ratelimit-limit-requests"), "3")
            self.assertEqual(served.get("x-ratelimit-remaining-requests"), str(left))
        refused = gateway.chat(headers=bearer("sk-a"))
        self.assertEqual(refused.status, 429)
        self.assertEqual(refused.json()["error"]["code"], "rate_limit_exceeded")
        self.assertIn(int(refused.get("retry-after")), range(1, 21))
        self.assertEqual(refused.get("x-ratelimit-remaining-requests"), "0")
        self.assertEqual(gateway.chat(headers=bearer("sk-b")).status, 200)
        self.assertEqual(len(self.server.requests), 4)
        gateway.wait_metric("penstock_owner_refusals_total", 1, owner="alice",
                            limit="requests_per_minute")

    def test_an_endpoints_own_limits_are_not_the_clients(self):
        gateway = self.limited(answer(200, b"{}", [("X-RateLimit-Limit-Requests", "99"),
                                                   ("x-ratelimit-limit-tokens", "77")]), requests=3)
        served = gateway.chat(headers=bearer("sk-a"))
        self.assertEqual(served.head.all("x-ratelimit-limit-requests"), ["3"])
        self.assertEqual(served.get("x-ratelimit-limit-tokens"), "77")  # no limit of ours
        self.assertEqual(gateway.chat(headers=bearer("sk-b")).get("x-ratelimit-limit-requests"),
                         "99")

    def test_tokens_are_charged_as_the_server_reports_them(self):
        gateway = self.limited(completion(700, 500), tokens=1000)
        self.assertEqual(gateway.chat(headers=bearer("sk-a")).status, 200)
        gateway.wait_metric("penstock_owner_tokens_total", 1200, owner="alice")
        refused = gateway.chat(headers=bearer("sk-a"))
        self.assertEqual(refused.status, 429)
        self.assertEqual(refused.json()["error"]["code"], "token_rate_limit_exceeded")
        self.assertIn(int(refused.get("retry-after")), range(10, 15))

    def test_a_prompt_that_never_fits_says_so_without_retry_after(self):
        gateway = self.limited(tokens=50)
        refused = gateway.chat("x" * 2000, headers=bearer("sk-a"))
        self.assertEqual(refused.status, 429)
        self.assertIn("more than the key's limit", refused.json()["error"]["message"])
        self.assertIsNone(refused.get("retry-after"))

    def test_streams_are_charged_by_what_came(self):
        gateway = self.limited(stream_answer(chat_events(["a"] * 40)), tokens=60)
        body = chat_body(stream=True)
        self.assertEqual(gateway.post(CHAT, body, bearer("sk-a")).status, 200)
        charged = "penstock_owner_tokens_total"
        eventually(lambda: gateway.metrics().sum(charged, owner="alice") >= 40,
                   "forty events are charged")

    def test_what_was_used_survives_a_reload(self):
        gateway = self.limited(requests=1)
        self.assertEqual(gateway.chat(headers=bearer("sk-a")).status, 200)
        gateway.write("more.yaml", [secret({"carol": "sk-c"}, name="carol")])
        eventually(lambda: gateway.chat(headers=bearer("sk-c")).status == 200, "the new key opens")
        self.assertEqual(gateway.chat(headers=bearer("sk-a")).status, 429)


if __name__ == "__main__":
    unittest.main()
