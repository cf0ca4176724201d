"""The gateway in front of a real vLLM prefill server and a decode server, joined by NIXL."""

import concurrent.futures
import itertools
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from fixture import FOREVER, VllmTest, start_servers

import openai

from harness import chat_body, eventually, http_route, inference_pool, pod
from server import MODEL, RUNNING_MAX

ROLE_LABEL = "rolebasedgroup.workloads.x-k8s.io/role"
POOL = "test-pool"

_seeds = itertools.count(1)


def setUpModule():
    PairTest.servers = start_servers("prefill-0", "decode-0", transfers=True)


def conversation(lines=12):
    """A user's message that nobody has sent before, so that no server has any of it cached."""
    seed = next(_seeds)
    text = "\n".join([f"{seed} it is."] + [
        f"def g{seed}_{i}(self, y{i}): return y{i} - {i * 3 + seed}" for i in range(lines)])
    return [{"role": "user", "content": text}]


def traffic_policy():
    return {"apiVersion": "inferenceextension.alibabacloud.com/v1alpha1",
            "kind": "InferenceTrafficPolicy", "metadata": {"name": "inference-policy"},
            "spec": {"poolRef": {"name": POOL}, "modelServerRuntime": "vllm",
                     "profile": {"pd": {"pdRoleLabelName": ROLE_LABEL}}}}


class PairTest(VllmTest):
    def objects(self):
        objects = [http_route(POOL), inference_pool(self.prefill.port, POOL), traffic_policy()]
        for server in self.servers:
            of_pool = pod(server.name, server.address, POOL, server.port)
            of_pool["metadata"]["labels"][ROLE_LABEL] = server.name.removesuffix("-0")
            objects.append(of_pool)
        return objects

    def setUp(self):
        super().setUp()
        # What one server answers: the prefill server can do everything.
        self.alone = self.sdk(self.prefill.url + "/v1")

    @property
    def prefill(self):
        return self.servers[0]

    @property
    def decode(self):
        return self.servers[1]

    def ask(self, client, messages, max_tokens=24, **options):
        options = {"temperature": 0, "extra_body": FOREVER, **options}
        return client.chat.completions.create(model=MODEL, messages=messages,
                                              max_tokens=max_tokens, **options)

    def ask_both(self, messages, **options):
        """The pair's answer and the one server's."""
        return [self.ask(client, messages, **options) for client in (self.client, self.alone)]

    def assert_disaggregated(self, line):
        self.assertEqual(
            (line["disaggregation"], line["prefill_pod"], line["pod"], line["prefill_status"],
             line["recomputed"], line["failed_half"]),
            ("prefill-decode", "prefill-0", "decode-0", 200, False, ""))

    def assert_idle(self):
        """Nobody works on anything any more, and nothing waits."""
        for server in self.servers:
            if server.process.poll() is None:
                eventually(lambda s=server: s.running() + s.waiting() == 0, f"{server.name} idle")
        self.penstock.wait_given_back()

    def occupy(self, server, count):
        """Streams past the gateway that take up `count` of the server's RUNNING_MAX places."""
        direct = self.sdk(server.url + "/v1")
        streams = []
        for _ in range(count):
            streams.append(self.stream(client=direct))
            self.addCleanup(streams[-1].close)
            next(streams[-1])
        eventually(lambda: server.running() == count, f"{server.name} runs {count}")
        return streams

    def wait_serves_again(self):
        """Until the gateway has found out that both servers are back."""
        def served():
            ended = len(self.penstock.handled())
            try:
                self.ask(self.client, conversation(), max_tokens=4)
            except openai.InternalServerError:
                pass
            line = self.penstock.wait_handled(ended + 1)[-1]
            return line["status"] == 200 and line["disaggregation"] == "prefill-decode" and line
        self.assert_disaggregated(eventually(served, "the pair serves again", 60))


class SameAnswerTest(PairTest):
    """As from one server, although two have made it."""

    def test_for_prompts_of_any_length(self):
        # A block is 32 tokens: less than one, a few, most of what the model takes.
        for count, lines in enumerate((0, 4, 30, 120), 1):
            messages = conversation(lines)
            moved = self.decode.transferred_tokens()
            pair, alone = self.ask_both(messages)
            self.assertEqual(pair.choices[0].message.content, alone.choices[0].message.content)
            self.assertEqual(pair.choices[0].finish_reason, "length")
            self.assertEqual(pair.usage.completion_tokens, 24)
            self.assertEqual(pair.usage.prompt_tokens, alone.usage.prompt_tokens)
            line = self.penstock.wait_handled(count)[-1]
            self.assert_disaggregated(line)
            self.assertEqual((line["outcome"], line["completion_tokens"]), ("complete", 24))
            # The decode server computes nothing but the prompt's last token.
            eventually(lambda: self.decode.transferred_tokens() - moved
                       >= pair.usage.prompt_tokens - 1, "the KV cache was moved")
            eventually(lambda: self.prefill.cache_usage() == 0, "prefill has let it go")

    def test_streamed(self):
        for lines in (0, 30):
            messages = conversation(lines)
            pair, alone = (list(self.stream(24, messages, client))
                           for client in (self.client, self.alone))
            self.assertEqual(text_of(pair), text_of(alone))
            self.assertEqual(pair[-1].choices[0].finish_reason, "length")
            self.assertTrue(all(chunk.usage is None for chunk in pair))
        self.assertTrue(self.penstock.wait_handled(2)[-1]["stream"])

    def test_streamed_with_usage(self):
        messages = conversation()
        pair, alone = (list(self.stream(24, messages, client,
                                        stream_options={"include_usage": True}))
                       for client in (self.client, self.alone))
        self.assertEqual(text_of(pair), text_of(alone))
        self.assertEqual(pair[-1].choices, [])
        self.assertEqual(pair[-1].usage.completion_tokens, 24)
        self.assertEqual(pair[-1].usage.prompt_tokens, alone[-1].usage.prompt_tokens)
        line = self.penstock.wait_handled(1)[0]
        self.assert_disaggregated(line)
        self.assertEqual((line["prompt_tokens"], line["completion_tokens"]),
                         (pair[-1].usage.prompt_tokens, 24))

    def test_of_several_samples(self):
        pair, alone = self.ask_both(conversation(), n=2, temperature=0.9, seed=7)
        texts = [[choice.message.content for choice in answer.choices]
                 for answer in (pair, alone)]
        self.assertEqual(texts[0], texts[1])
        self.assertNotEqual(texts[0][0], texts[0][1])
        self.assertEqual(pair.usage.completion_tokens, 48)
        # What is not fetched stays until its lease of 30 s is over.
        eventually(lambda: self.prefill.cache_usage() == 0, "prefill keeps nothing for nobody")

    def test_of_several_samples_streamed(self):
        messages = conversation()
        pair, alone = (list(self.ask(client, messages, n=2, temperature=0.9, seed=7, stream=True))
                       for client in (self.client, self.alone))
        for index in (0, 1):
            self.assertEqual(text_of(pair, index), text_of(alone, index))
        self.assertNotEqual(text_of(pair, 0), text_of(pair, 1))

    def test_with_logprobs(self):
        pair, alone = (answer.choices[0].logprobs.content for answer in
                       self.ask_both(conversation(), logprobs=True, top_logprobs=3))
        self.assertEqual(len(pair), 24)
        for one, other in zip(pair, alone):
            self.assertEqual(one.token, other.token)
            self.assertEqual(len(one.top_logprobs), 3)
            self.assertAlmostEqual(one.logprob, other.logprob, places=3)

    def test_of_a_completion_with_logprobs(self):
        text = conversation()[0]["content"]
        pair, alone = (client.completions.create(
            model=MODEL, prompt=text, max_tokens=12, temperature=0, logprobs=2,
            extra_body=FOREVER) for client in (self.client, self.alone))
        self.assertEqual(pair.choices[0].text, alone.choices[0].text)
        self.assertEqual(pair.choices[0].logprobs.tokens, alone.choices[0].logprobs.tokens)
        self.assert_disaggregated(self.penstock.wait_handled(1)[0])

    def test_of_several_prompts(self):
        """The shorter one first: whose KV cache is whose must not be mixed up."""
        texts = [conversation(lines)[0]["content"] for lines in (4, 30, 12)]
        pair, alone = (client.completions.create(
            model=MODEL, prompt=texts, max_tokens=12, temperature=0, extra_body=FOREVER)
            for client in (self.client, self.alone))
        self.assertEqual([choice.text for choice in pair.choices],
                         [choice.text for choice in alone.choices])
        self.assertTrue(self.decode.is_healthy())

    def test_as_long_as_the_client_asked(self):
        """Only the prefill server is told to stop after one token."""
        messages = conversation()
        for option, tokens in (("max_tokens", 1), ("max_tokens", 40),
                               ("max_completion_tokens", 17)):
            answer = self.client.chat.completions.create(
                model=MODEL, messages=messages, temperature=0, extra_body=FOREVER,
                **{option: tokens})
            self.assertEqual(answer.usage.completion_tokens, tokens)
        # Without ignore_eos it may stop anywhere, but not before it may.
        answer = self.client.chat.completions.create(
            model=MODEL, messages=messages, temperature=0, max_tokens=40,
            extra_body={"min_tokens": 30})
        self.assertGreaterEqual(answer.usage.completion_tokens, 30)
        for line in self.penstock.wait_handled(4):
            self.assert_disaggregated(line)

    def test_for_many_at_once(self):
        conversations = [conversation() for _ in range(6)]
        with concurrent.futures.ThreadPoolExecutor(len(conversations)) as threads:
            pair = list(threads.map(lambda m: self.ask(self.client, m), conversations))
        alone = [self.ask(self.alone, messages) for messages in conversations]
        self.assertEqual([answer.choices[0].message.content for answer in pair],
                         [answer.choices[0].message.content for answer in alone])

    def test_a_refusal_is_the_model_servers_own(self):
        refusals = []
        for client in (self.client, self.alone):
            with self.assertRaises(openai.BadRequestError) as raised:
                self.ask(client, conversation(), temperature=-1)
            refusals.append(raised.exception.body)
        self.assertEqual(refusals[0], refusals[1])
        self.assert_idle()


def text_of(chunks, index=0):
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices
                   if choice.index == index)


class ClientLeavesTest(PairTest):
    """A client that leaves ends both halves, whichever is at work."""

    def test_a_stream(self):
        stream = self.stream(messages=conversation())
        for _ in range(5):
            next(stream)
        eventually(lambda: self.decode.running() == 1, "decode runs")
        stream.close()
        self.assert_idle()
        self.assertEqual(self.penstock.wait_handled(1)[0]["outcome"], "client_left")

    def test_while_decode_works_on_a_whole_answer(self):
        before = self.decode.generated_tokens()
        with self.penstock.connect() as connection:
            connection.request("POST", "/v1/chat/completions",
                               body=chat_body("Hi", MODEL, max_tokens=3000, **FOREVER))
            eventually(lambda: self.decode.running() == 1, "decode runs")
        self.assert_idle()
        self.assertLess(self.decode.generated_tokens() - before, 3000)
        self.assertEqual(self.penstock.wait_handled(1)[0]["outcome"], "client_left")

    def test_while_it_waits_for_prefill(self):
        streams = self.occupy(self.prefill, RUNNING_MAX)
        with self.penstock.connect() as connection:
            connection.request("POST", "/v1/chat/completions",
                               body=chat_body("Hi", MODEL, max_tokens=3000, **FOREVER))
            eventually(lambda: self.prefill.waiting() == 1, "prefill has it in its queue")
        eventually(lambda: self.prefill.waiting() == 0, "it is gone from there")
        self.assertEqual(self.penstock.wait_handled(1)[0]["outcome"], "client_left")
        for stream in streams:
            stream.close()
        self.assert_idle()

    def test_while_it_waits_for_decode(self):
        streams = self.occupy(self.decode, RUNNING_MAX)
        with self.penstock.connect() as connection:
            connection.request("POST", "/v1/chat/completions",
                               body=chat_body("Hi", MODEL, max_tokens=3000, stream=True, **FOREVER))
            eventually(lambda: self.decode.waiting() == 1, "decode has it in its queue")
        eventually(lambda: self.decode.waiting() == 0, "it is gone from there")
        self.assertEqual(self.penstock.wait_handled(1)[0]["outcome"], "client_left")
        for stream in streams:
            stream.close()
        self.assert_idle()


class ServerLossTest(PairTest):
    """One half dies: the client hears of it at once, the other half ends, and both come back."""

    def start_again(self, server):
        server.kill()  # what may be left of it
        server.start()
        server.wait_ready()
        self.wait_serves_again()

    def ask_outcome(self, **options):
        """The error that a request ends with, which is wanted."""
        try:
            answer = self.ask(self.client, conversation(), **options)
            return AssertionError(f"answered: {answer!r}")
        except openai.APIError as error:
            return error

    def test_decode_is_killed(self):
        """One request is streaming, the next one waits in decode's queue."""
        self.occupy(self.decode, RUNNING_MAX - 1)
        stream = self.stream(messages=conversation())
        for _ in range(5):
            next(stream)
        with concurrent.futures.ThreadPoolExecutor(1) as threads:
            waits = threads.submit(self.ask_outcome)
            eventually(lambda: self.decode.waiting() == 1, "the next one waits")
            self.decode.kill()
            with self.assertRaises(openai.APIError) as raised:
                list(stream)
            refused = waits.result()
        self.assertIn("model server", str(raised.exception))
        # It has seen nothing, and there is no other decode server.
        self.assertIsInstance(refused, openai.InternalServerError)
        self.assertEqual(refused.status_code, 502)
        self.assertIn("decode-0", str(refused))
        ends = {line["stream"]: (line["status"], line["outcome"], line["failed_half"])
                for line in self.penstock.wait_handled(2)}
        self.assertEqual(ends, {True: (200, "upstream_broke", "decode"),
                                False: (502, "rejected", "decode")})
        self.assert_idle()
        self.penstock.wait_metric("penstock_half_failures_total", 2, half="decode")
        self.penstock.wait_metric("penstock_half_failures_total", 0, half="prefill")
        self.assertIsInstance(self.ask_outcome(), openai.InternalServerError)
        self.start_again(self.decode)

    def test_prefill_is_killed(self):
        """A vLLM decode server can do without: until one is back it computes prompts itself."""
        stream = self.stream(messages=conversation())
        next(stream)
        self.occupy(self.prefill, RUNNING_MAX)
        conversations = [conversation(), conversation()]
        with concurrent.futures.ThreadPoolExecutor(2) as threads:
            whole = threads.submit(self.ask, self.client, conversations[0])
            streamed = threads.submit(lambda: list(self.stream(24, conversations[1])))
            eventually(lambda: self.prefill.waiting() == 2, "two wait for prefill")
            self.prefill.kill()
            texts = [whole.result().choices[0].message.content, text_of(streamed.result())]
        for line in self.penstock.wait_handled(2):
            self.assertGreater(line["tries"], 1)
            self.assertEqual(
                (line["status"], line["outcome"], line["disaggregation"], line["pod"]),
                (200, "complete", "decode-only", "decode-0"))
        for _ in range(5):
            next(stream)  # that one had all it needed
        # One each, or more if a reused connection made it look like a stale one at first.
        failures = self.penstock.metrics()
        self.assertGreaterEqual(failures.sum("penstock_half_failures_total", half="prefill"), 2)
        self.assertEqual(failures.sum("penstock_half_failures_total", half="decode"), 0)
        stream.close()
        self.assert_idle()
        decode = self.sdk(self.decode.url + "/v1")
        self.assertEqual(texts, [self.ask(decode, messages).choices[0].message.content
                                 for messages in conversations])
        self.assertEqual(self.ask(self.client, conversation()).usage.completion_tokens, 24)
        self.start_again(self.prefill)


if __name__ == "__main__":
    unittest.main()
