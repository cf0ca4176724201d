"""Traces: what is told upstream of a request's trace, and the spans that a collector gets."""

import json
import re
import subprocess
import tempfile
import unittest

from harness import (DEADLINE_S, Authority, Collector, Gate, GatewayTest, PairTest, answer,
                     chat_answer, chat_body, chat_events, free_port, hang, http_route,
                     penstock, pool_of, refuse_with_reset, stream_answer)

CHAT = "/v1/chat/completions"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
SAMPLED = [("traceparent", f"00-{TRACE}-{CALLER}-01")]
TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-(0[01])\Z")
SPANS = "penstock_trace_spans_total"
EXPORTS = "penstock_trace_exports_total"


def parts(request):
    """Trace, parent and flags of what was sent on, which is well-formed and there once."""
    fields = [value for name, value in request.head.headers if name.lower() == "traceparent"]
    assert len(fields) == 1, fields
    return TRACEPARENT.match(fields[0]).groups()


class Traced:
    """What tests of traces share, whatever else they are."""

    def collector(self):
        address = self.addresses.take()
        collector = Collector(address, free_port(address))
        self.addCleanup(self._end_server, collector)
        return collector

    def traced(self, collector, *more, ratio="1"):
        return ("--traces", collector.url, "--trace-ratio", ratio, *more)


class SpansTest(Traced, GatewayTest):
    def start(self, script, *more, ratio="1", objects=None, count=1, **options):
        self.spans_at = self.collector()
        self.servers = [self.model_server(script) for _ in range(count)]
        return self.gateway(objects or pool_of(self.servers),
                            arguments=("--workers", "1",
                                       *self.traced(self.spans_at, *more, ratio=ratio)), **options)

    def test_a_request_is_a_tree_of_spans_below_its_callers(self):
        gateway = self.start(chat_answer(prompt_tokens=7, completion_tokens=2, cached_tokens=4))
        gateway.chat(headers=[*SAMPLED, ("tracestate", "vendor=1"), ("tracestate", "other=2"),
                              ("x-request-id", "one")])
        root, parse, *others = self.spans_at.wait_trace(TRACE)
        self.assertEqual((root.name, root.parent), ("POST " + CHAT, CALLER))
        self.assertEqual(root.resource["service.name"], "penstock")
        self.assertEqual(parse.name, "parse")
        tried, = (span for span in others if span.kind == 3)
        decision, = (span for span in others if span.kind == 1)
        self.assertEqual((tried.name, decision.name), ("try", "decision"))
        self.assertEqual(
            {key: root[key] for key in (
                "http.request.method", "url.path", "url.scheme", "http.response.status_code",
                "gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model",
                "gen_ai.response.model", "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens",
                "gen_ai.usage.cache_read.input_tokens", "penstock.request_id", "penstock.pool",
                "penstock.outcome", "penstock.tries")},
            {"http.request.method": "POST", "url.path": CHAT, "url.scheme": "http",
             "http.response.status_code": 200, "gen_ai.operation.name": "chat",
             "gen_ai.provider.name": "vllm", "gen_ai.request.model": "test-model",
             "gen_ai.response.model": "test-model", "gen_ai.usage.input_tokens": 7,
             "gen_ai.usage.output_tokens": 2, "gen_ai.usage.cache_read.input_tokens": 4,
             "penstock.request_id": "one", "penstock.pool": "default/test-pool",
             "penstock.outcome": "complete", "penstock.tries": 1})
        self.assertEqual([name for name, _ in root.events], ["first_token"])
        self.assertEqual([name for name, _ in tried.events], ["response_head", "first_token"])
        self.assertEqual((tried["server.address"], tried["server.port"], tried["penstock.pod"],
                          tried["http.response.status_code"]),
                         (self.servers[0].address, self.servers[0].port, "server-0", 200))
        self.assertEqual((decision["penstock.endpoint"], decision["penstock.candidates"]),
                         (self.servers[0].endpoint, 1))
        self.assertFalse(any(span.error for span in (root, parse, *others)))
        # What the model server sees: itself as the try's child.
        request = self.servers[0].requests[0]
        self.assertEqual(parts(request), (TRACE, tried.id, "01"))
        self.assertEqual([value for name, value in request.head.headers if name == "tracestate"],
                         ["vendor=1", "other=2"])
        # Nothing of what was said.
        self.assertNotIn("Hello", repr([span.attributes for span in self.spans_at.spans]))
        line = gateway.wait_line("Request Handled", trace_id=TRACE)
        self.assertTrue(line["trace_sampled"])
        shown = subprocess.run(
            [penstock(), "explain", "one", "--admin", f"{gateway.address}:{gateway.admin_port}"],
            capture_output=True, text=True, timeout=DEADLINE_S, check=True).stdout
        self.assertIn(f"  trace {TRACE}\n", shown)
        gateway.wait_metric(SPANS, 4, result="exported")
        gateway.wait_metric(EXPORTS, 1, result="ok")

    def test_prompts_are_in_the_requests_span_where_they_are_wanted(self):
        gateway = self.start(chat_answer(), "--trace-prompts")
        gateway.chat(headers=SAMPLED)
        root, *children = self.spans_at.wait_trace(TRACE)
        self.assertEqual(json.loads(root["gen_ai.input.messages"]),
                         [{"role": "user", "parts": [{"type": "text", "content": "Hello"}]}])
        self.assertNotIn("penstock.prompt_cut_bytes", root.attributes)
        self.assertNotIn("Hello", repr([span.attributes for span in children]))
        # Nor anywhere else.
        self.assertNotIn("Hello", json.dumps(gateway.wait_line("Request Handled")))
        gateway.wait_line("Requests are traced", prompts=True)

    def test_a_prompt_is_cut_at_its_limit(self):
        gateway = self.start(chat_answer(), "--trace-prompts", "--limit", "trace_prompt_bytes=1KiB")
        gateway.chat("y" * 5000, headers=SAMPLED)
        root = self.spans_at.wait_trace(TRACE)[0]
        self.assertLessEqual(len(root["gen_ai.input.messages"]), 1024)
        part, = json.loads(root["gen_ai.input.messages"])[0]["parts"]
        self.assertEqual(set(part["content"]), {"y"})
        self.assertEqual(len(part["content"]) + root["penstock.prompt_cut_bytes"], 5000)
        gateway.wait_metric("penstock_limit_reached_total", 1, limit="trace_prompt_bytes")

    def test_prompts_that_wait_have_a_limit_of_their_own(self):
        gateway = self.start(chat_answer(), "--trace-prompts", "--limit", "trace_queue_bytes=10")
        gateway.chat(headers=SAMPLED)
        root = self.spans_at.wait_trace(TRACE)[0]
        self.assertNotIn("gen_ai.input.messages", root.attributes)
        self.assertGreater(root["penstock.prompt_cut_bytes"], 10)
        gateway.wait_metric("penstock_limit_reached_total", 1, limit="trace_queue_bytes")

    def test_without_a_caller_a_trace_begins_here(self):
        gateway = self.start(chat_answer())
        for wrong in ([], [("traceparent", f"00-{TRACE}-{CALLER}-01-x"), ("tracestate", "a=1")],
                      [("traceparent", f"00-{TRACE}-{'0' * 16}-01"), ("tracestate", "a=1")],
                      SAMPLED + SAMPLED):
            before = len(self.servers[0].requests)
            gateway.chat(headers=wrong)
            request = self.servers[0].wait_requests(before + 1)[-1]
            trace, parent, flags = parts(request)
            self.assertNotEqual(trace, TRACE)
            self.assertEqual(flags, "01")
            self.assertIsNone(request.get("tracestate"))
            root, *children = self.spans_at.wait_trace(trace)
            self.assertIsNone(root.parent)
            self.assertIn(parent, {span.id for span in children if span.kind == 3})

    def test_what_is_not_sampled_is_told_of_and_not_kept(self):
        gateway = self.start(chat_answer())
        gateway.chat(headers=[("traceparent", f"00-{TRACE}-{CALLER}-00"), ("tracestate", "a=1")])
        request = self.servers[0].requests[0]
        trace, parent, flags = parts(request)
        self.assertEqual((trace, flags, request.get("tracestate")), (TRACE, "00", "a=1"))
        self.assertNotEqual(parent, CALLER)
        self.assertFalse(gateway.wait_line("Request Handled", trace_id=TRACE)["trace_sampled"])
        gateway.chat(headers=SAMPLED)
        self.spans_at.wait_trace(TRACE)
        self.assertEqual({span.parent for span in self.spans_at.spans if span.kind == 2}, {CALLER})

    def test_a_retry_is_a_second_try_of_the_same_trace(self):
        self.servers = [self.model_server(refuse_with_reset()), self.model_server(chat_answer())]
        self.servers[1].waiting = 5  # so that the other one is asked first
        self.spans_at = self.collector()
        gateway = self.gateway(pool_of(self.servers), arguments=self.traced(self.spans_at))
        gateway.wait_scraped()
        self.assertEqual(gateway.chat(headers=SAMPLED).status, 200)
        root, *children = self.spans_at.wait_trace(TRACE)
        failed, served = (span for span in children if span.kind == 3)
        self.assertEqual((failed["error.type"], failed["penstock.try"], failed.error),
                         ("reset", 1, True))
        self.assertEqual((served["penstock.try"], served.error, root.error), (2, False, False))
        self.assertEqual(parts(self.servers[0].requests[0]), (TRACE, failed.id, "01"))
        self.assertEqual(parts(self.servers[1].requests[0]), (TRACE, served.id, "01"))

    def test_a_reset_is_a_failed_try(self):
        gateway = self.start(refuse_with_reset())
        self.assertEqual(gateway.chat().status, 502)
        root, *children = self.spans_at.wait_trace()
        tries = [span for span in children if span.kind == 3]
        self.assertEqual({span["error.type"] for span in tries}, {"reset"})
        self.assertEqual(len({span.id for span in tries}), len(tries))
        self.assertEqual([parts(r)[1] for r in self.servers[0].requests],
                         [span.id for span in tries])
        self.assertTrue(root.error)
        self.assertEqual((root["penstock.outcome"], root["http.response.status_code"]),
                         ("rejected", 502))
        self.assertEqual(root["error.type"], root["penstock.reason"])

    def test_what_clients_ask_wrongly_is_no_failure(self):
        gateway = self.start(answer(404, b"{}"))
        gateway.get("/v1/other")
        root, *children = self.spans_at.wait_trace()
        self.assertEqual((root.name, root.error), ("GET", False))
        tried, = (span for span in children if span.kind == 3)
        self.assertEqual((tried.error, tried["error.type"]), (True, "404"))

    def test_a_stream_has_its_first_token_before_its_end(self):
        gate = Gate()
        gateway = self.start(stream_answer(chat_events(["a", "b"]), {1: gate}))
        client = self.client(gateway)
        client.request("POST", CHAT, body=chat_body(stream=True))
        client.read_final_head()
        client.read_chunk()
        gate.open()
        client.read_chunks()
        root = self.spans_at.wait_trace()[0]
        self.assertTrue(root["penstock.stream"])
        self.assertLess(root.events[0][1], root.end)

    def test_a_share_of_requests_is_traced(self):
        gateway = self.start(chat_answer(), ratio="0.01")
        client = self.client(gateway)
        for _ in range(300):
            client.request("POST", CHAT, body=chat_body())
            client.read_response()
        kept = [parts(request)[2] for request in self.servers[0].wait_requests(300)].count("01")
        self.assertLess(kept, 20)  # of a mean of 3, one time in 10^9
        ids = {parts(r)[0] for r in self.servers[0].requests if parts(r)[2] == "01"}
        for trace in ids:
            self.spans_at.wait_trace(trace)
        self.assertEqual({s.trace for s in self.spans_at.spans}, ids)
        self.assertEqual(sum(line["trace_sampled"] for line in gateway.wait_handled(300)), kept)

    def test_waiting_in_the_queue_is_a_span(self):
        self.spans_at = self.collector()
        server = self.model_server(chat_answer())
        server.waiting = 50
        self.servers = [server]
        gateway = self.gateway(pool_of([server], annotations={"penstock.dev/queueing": "true"}),
                               arguments=self.traced(self.spans_at))
        gateway.wait_scraped(lambda endpoint: endpoint["waiting"] == 50)
        client = self.client(gateway)
        client.request("POST", CHAT, [("x-llm-d-inference-fairness-id", "team")],
                       body=chat_body())
        gateway.wait_metric("penstock_queue_waiting_requests", 1)
        server.waiting = 0
        self.assertEqual(client.read_response().status, 200)
        root, *children = self.spans_at.wait_trace()
        queue, = (span for span in children if span.name == "queue")
        tried, = (span for span in children if span.kind == 3)
        self.assertLess(queue.begin, queue.end)
        self.assertLessEqual(queue.end, tried.begin)
        self.assertEqual((queue["penstock.queue_result"], queue["penstock.tenant"]),
                         ("waited", "team"))
        self.assertEqual(root["penstock.tenant"], "team")

    def test_a_pause_between_tries_is_a_span(self):
        self.spans_at = self.collector()
        answers = [answer(503, b"{}"), chat_answer()]
        server = self.model_server(lambda request, connection: answers.pop(0)(request, connection))
        pool = pool_of([server])
        pool[0] = http_route(retry={"codes": [503], "attempts": 2, "backoff": "50ms"})
        gateway = self.gateway(pool, arguments=self.traced(self.spans_at))
        self.assertEqual(gateway.chat().status, 200)
        _, *children = self.spans_at.wait_trace()
        names = [span.name for span in children]
        self.assertEqual(names.count("try"), 2, names)
        pause, = (span for span in children if span.name == "back-off")
        first, second = (span for span in children if span.name == "try")
        self.assertEqual((first.end, pause.end), (pause.begin, second.begin))

    def test_off_nothing_is_looked_at(self):
        server = self.model_server(chat_answer())
        gateway = self.gateway(pool_of([server]))
        sent = [("traceparent", "anything"), ("tracestate", "at all")]
        gateway.chat(headers=sent)
        request = server.requests[0]
        self.assertEqual([(name, value) for name, value in request.head.headers if "trace" in name],
                         sent)
        self.assertNotIn("trace_id", gateway.wait_handled(1)[0])


class PairSpansTest(Traced, PairTest):
    runtime = "vllm"

    def test_both_halves_are_spans(self):
        collector = self.collector()
        self.start([self.good_prefill()], [self.good_decode()], arguments=self.traced(collector))
        self.chat()
        root, *children = collector.wait_trace()
        prefill, decode = (span for span in children if span.kind == 3)
        self.assertEqual((prefill.name, decode.name), ("prefill", "decode"))
        self.assertLessEqual(prefill.end, decode.begin)
        self.assertEqual(parts(self.prefill[0].requests[0]), (root.trace, prefill.id, "01"))
        self.assertEqual(parts(self.decode[0].requests[0]), (root.trace, decode.id, "01"))
        self.assertEqual((prefill["server.address"], decode["server.address"]),
                         (self.prefill[0].address, self.decode[0].address))
        self.assertEqual(root["penstock.disaggregation"], "prefill-decode")

    def test_a_prefill_half_that_fails_is_the_failure(self):
        collector = self.collector()
        self.start([refuse_with_reset()], [self.good_decode()], arguments=self.traced(collector))
        self.chat()
        root, *children = collector.wait_trace()
        failed, served = (span for span in children if span.kind == 3)
        self.assertEqual((failed.name, failed["error.type"], failed["penstock.try"]),
                         ("prefill", "reset", 1))
        # The decode endpoint does both halves then.
        self.assertEqual((served.name, served.error, served["penstock.try"]), ("try", False, 2))
        self.assertFalse(root.error)


class SglangSpansTest(Traced, PairTest):
    runtime = "sglang"

    def test_both_halves_run_at_once(self):
        collector = self.collector()
        self.start([self.good_prefill()], [self.good_decode()], arguments=self.traced(collector))
        self.chat()
        root, *children = collector.wait_trace()
        halves = {span.name: span for span in children if span.kind == 3}
        self.assertEqual(halves["prefill"].begin, halves["decode"].begin)
        self.assertEqual(parts(self.prefill[0].requests[0]),
                         (root.trace, halves["prefill"].id, "01"))
        self.assertEqual(parts(self.decode[0].requests[0]),
                         (root.trace, halves["decode"].id, "01"))


class CollectorTest(Traced, GatewayTest):
    def start(self, collector, *more, url=None, environment=None):
        self.server = self.model_server(chat_answer())
        arguments = self.traced(collector, *more) if url is None else ("--trace-ratio", "1", *more)
        return self.gateway(pool_of([self.server]), arguments=arguments, environment=environment)

    def test_a_collector_that_is_not_there_costs_spans_and_no_request(self):
        collector = self.collector()
        collector.refuse()
        gateway = self.start(collector, "--limit", "trace_queue=3")
        for _ in range(12):
            self.assertEqual(gateway.chat().status, 200)
        gateway.wait_line("Traces do not reach the collector", collector=collector.endpoint)
        for _ in range(12):
            self.assertEqual(gateway.chat().status, 200)
        gateway.wait_metric_at_least(SPANS, 4, result="queue_full")
        gateway.wait_metric_at_least("penstock_limit_reached_total", 1, limit="trace_queue")
        gateway.wait_metric_at_least(EXPORTS, 1, result="failed")
        collector.listen()
        gateway.wait_line("Traces reach the collector again")
        collector.spans.wait(lambda spans: spans, "spans")

    def test_after_the_last_try_a_batch_is_given_up(self):
        collector = self.collector()
        collector.refuse()
        gateway = self.start(collector, "--timeout", "trace_retry_timeout=100ms")
        gateway.chat()
        gateway.wait_metric(SPANS, 4, result="gave_up")
        gateway.wait_metric("penstock_limit_reached_total", 1, limit="trace_retry_timeout")

    def test_it_is_asked_again_when_it_wants_to_be(self):
        for status in (429, 502, 503, 504):
            with self.subTest(status):
                collector = self.collector()
                collector.answers = [answer(status, b"{}", [("Retry-After", "0")])] * 2
                gateway = self.start(collector)
                gateway.chat(headers=SAMPLED)
                collector.wait_trace(TRACE)
                gateway.wait_metric(EXPORTS, 2, result="throttled")
                gateway.wait_metric(SPANS, 4, result="exported")
                bodies = {request.body for request in collector.requests}
                self.assertEqual((len(collector.requests), len(bodies)), (3, 1))

    def test_retry_after_is_waited_for(self):
        collector = self.collector()
        collector.answers = [answer(503, b"{}", [("Retry-After", "3600")])]
        gateway = self.start(collector)
        gateway.chat()
        # Longer than a batch may be tried: it is given up, and nothing is sent meanwhile.
        gateway.wait_metric(SPANS, 4, result="gave_up")
        gateway.chat()
        self.assertEqual(len(collector.requests), 1)

    def test_what_it_refuses_is_not_sent_again(self):
        collector = self.collector()
        collector.answers = [answer(400, b"{}")]
        gateway = self.start(collector)
        gateway.chat()
        gateway.wait_metric(SPANS, 4, result="refused")
        gateway.wait_metric(EXPORTS, 1, result="refused")
        gateway.wait_line("Traces do not reach the collector", error="status 400")
        gateway.chat(headers=SAMPLED)
        collector.wait_trace(TRACE)

    def test_it_may_take_a_part(self):
        collector = self.collector()
        collector.answers = [answer(
            200, b'{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}}')]
        gateway = self.start(collector)
        gateway.chat()
        gateway.wait_line("The collector of traces has not taken all", rejected_spans=3,
                          error="too old")
        gateway.wait_metric(SPANS, 3, result="rejected")
        gateway.wait_metric(SPANS, 1, result="exported")
        gateway.wait_metric(EXPORTS, 1, result="partial")

    def test_one_that_does_not_answer_holds_nothing_up(self):
        collector = self.collector()
        collector.answers = [hang()]
        gateway = self.start(collector, "--timeout", "trace_export_timeout=50ms")
        self.assertEqual(gateway.chat(headers=SAMPLED).status, 200)
        collector.wait_trace(TRACE)
        gateway.wait_metric("penstock_limit_reached_total", 1, limit="trace_export_timeout")

    def test_what_is_left_at_the_end_is_sent(self):
        collector = self.collector()
        gateway = self.start(collector)
        for _ in range(5):
            gateway.chat()
        gateway.signal()
        self.assertEqual(gateway.wait_exit(), 0)
        self.assertEqual(len({span.trace for span in collector.spans}), 5)

    def test_the_end_does_not_wait_for_a_collector_that_hangs(self):
        collector = self.collector()
        collector.answers = [hang()] * 9
        gateway = self.start(collector, "--timeout", "trace_flush_timeout=50ms")
        gateway.chat()
        gateway.signal()
        self.assertEqual(gateway.wait_exit(), 0)
        gateway.wait_line("The collector did not take all traces before the end", spans=4)

    def test_over_tls_with_a_header_by_name(self):
        folder = tempfile.TemporaryDirectory(prefix="penstock-test-")
        self.addCleanup(folder.cleanup)
        authority = Authority(folder.name)
        address = self.addresses.take()
        collector = Collector(address, free_port(address),
                              authority.server_context("collector", f"IP:{address}"))
        self.addCleanup(self._end_server, collector)
        gateway = self.start(collector, "--traces-ca-file", authority.path,
                             "--traces-header", "authorization: Bearer t")
        gateway.chat(headers=SAMPLED)
        collector.wait_trace(TRACE)
        self.assertEqual(collector.requests[0].get("authorization"), "Bearer t")

    def test_the_variables_of_opentelemetry_are_read(self):
        collector = self.collector()
        gateway = self.start(collector, url="", environment={
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url + "/",
            "OTEL_EXPORTER_OTLP_HEADERS": "x-team=a%20b, x-other=c",
            "OTEL_SERVICE_NAME": "edge"})
        gateway.chat(headers=SAMPLED)
        root = collector.wait_trace(TRACE)[0]
        self.assertEqual(root.resource["service.name"], "edge")
        request = collector.requests[0]
        self.assertEqual((request.get("x-team"), request.get("x-other")), ("a b", "c"))

    def test_a_name_is_looked_up(self):
        collector = self.collector()
        gateway = self.start(collector, "--traces", f"http://localhost:{collector.port}", url="")
        # It listens at another address of this machine than the name has.
        gateway.chat()
        gateway.wait_metric_at_least(EXPORTS, 1, result="failed")


if __name__ == "__main__":
    unittest.main()
