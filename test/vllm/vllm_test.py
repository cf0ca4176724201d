"""The gateway in front of two real vLLM servers, used as its users do: curl and the OpenAI SDK."""

import concurrent.futures
import json
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from fixture import FOREVER, LONG_TOKENS, MESSAGES, VllmTest, start_servers

import openai

from harness import chat_body, eventually, inference_model, pool_of
from server import MODEL


def setUpModule():
    PlainTest.servers = start_servers("vllm-0", "vllm-1")


class PlainTest(VllmTest):
    """Two servers that do the same."""

    strategy = None

    def objects(self):
        return pool_of(self.servers, strategy=self.strategy) + [
            inference_model(MODEL), inference_model("alias", targets={MODEL: 100})]

    def serving(self):
        """The server that runs something, once one does."""
        return eventually(lambda: next((s for s in self.servers if s.running() > 0), None),
                          "a request runs")


class CurlTest(PlainTest):
    def curl(self, *arguments):
        done = subprocess.run(["curl", "-sS", "--max-time", "60", *arguments], check=True,
                              stdout=subprocess.PIPE)
        return done.stdout

    def test_chat(self):
        body = chat_body("Hi", MODEL, max_tokens=5, **FOREVER)
        answer = json.loads(self.curl(self.url + "/chat/completions", "-H",
                                      "Content-Type: application/json", "-d", json.dumps(body)))
        self.assertEqual(answer["usage"]["completion_tokens"], 5)
        self.assertEqual(answer["choices"][0]["finish_reason"], "length")
        line = self.penstock.wait_handled(1)[0]
        self.assertEqual((line["status"], line["outcome"], line["completion_tokens"]),
                         (200, "complete", 5))
        self.assertEqual(line["prompt_tokens"], answer["usage"]["prompt_tokens"])

    def test_streams_as_the_server_frames_them(self):
        body = chat_body("Hi", MODEL, max_tokens=5, stream=True,
                         stream_options={"include_usage": True}, **FOREVER)
        text = self.curl("-N", self.url + "/chat/completions", "-H",
                         "Content-Type: application/json", "-d", json.dumps(body)).decode()
        events = [line[6:] for line in text.split("\n") if line.startswith("data: ")]
        self.assertEqual(events[-1], "[DONE]")
        usage = json.loads(events[-2])
        self.assertEqual(usage["choices"], [])
        self.assertEqual(usage["usage"]["completion_tokens"], 5)

    def test_http_head_and_unknown_path(self):
        status = self.curl("-o", "/dev/null", "-w", "%{http_code}", self.url + "/nothing/here")
        self.assertEqual(status, b"404")
        head = self.curl("-I", self.url + "/models").decode()
        self.assertRegex(head, r"^HTTP/1\.1 \d+ ")

    def test_large_upload_with_expect_continue(self):
        body = chat_body("word " * 2000, MODEL, max_tokens=2, **FOREVER)
        answer = json.loads(self.curl(self.url + "/chat/completions", "-H", "Expect: 100-continue",
                                      "-H", "Content-Type: application/json", "-d",
                                      json.dumps(body)))
        self.assertGreater(answer["usage"]["prompt_tokens"], 1000)


class SdkTest(PlainTest):
    def test_chat(self):
        answer = self.client.chat.completions.create(
            model=MODEL, messages=MESSAGES, max_tokens=8, extra_body=FOREVER)
        self.assertEqual(answer.usage.completion_tokens, 8)
        self.assertEqual(answer.choices[0].finish_reason, "length")

    def test_streams_with_usage(self):
        chunks = list(self.stream(8, stream_options={"include_usage": True}))
        self.assertEqual(chunks[-1].usage.completion_tokens, 8)
        finish = [c.choices[0].finish_reason for c in chunks if c.choices]
        self.assertEqual(finish[-1], "length")
        line = self.penstock.wait_handled(1)[0]
        self.assertTrue(line["stream"])
        self.assertEqual(line["completion_tokens"], 8)
        self.assertGreater(line["ttft_ms"], 0)

    def test_the_same_text_as_without_the_gateway(self):
        direct = self.sdk(self.servers[0].url + "/v1")
        texts = [client.chat.completions.create(
            model=MODEL, messages=MESSAGES, max_tokens=32, temperature=0,
            extra_body=FOREVER).choices[0].message.content for client in (direct, self.client)]
        self.assertEqual(texts[0], texts[1])

    def test_completions_and_responses(self):
        answer = self.client.completions.create(model=MODEL, prompt="def main():", max_tokens=4,
                                                extra_body=FOREVER)
        self.assertEqual(answer.usage.completion_tokens, 4)
        response = self.client.responses.create(model=MODEL, input="Hi", max_output_tokens=4)
        self.assertLessEqual(response.usage.output_tokens, 4)

    def test_lists_models_once(self):
        self.assertIn(MODEL, [model.id for model in self.client.models.list()])
        names = [model.id for model in self.client.models.list()]
        self.assertEqual(len(names), len(set(names)))

    def test_a_model_name_is_rewritten(self):
        answer = self.client.chat.completions.create(
            model="alias", messages=MESSAGES, max_tokens=3, extra_body=FOREVER)
        self.assertEqual(answer.usage.completion_tokens, 3)
        line = self.penstock.wait_handled(1)[0]
        self.assertEqual((line["requested_model"], line["target_model"]), ("alias", MODEL))

    def test_errors_are_the_sdks_own(self):
        with self.assertRaises(openai.NotFoundError):
            self.client.chat.completions.create(model="nobody", messages=MESSAGES)
        with self.assertRaises(openai.BadRequestError):  # the model server's own refusal
            self.client.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=-1)

    def test_many_at_once_use_both_servers(self):
        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda _: list(self.stream(20)), range(8)))
        self.assertTrue(all(a[-1].choices[0].finish_reason == "length" for a in answers))
        lines = self.penstock.wait_handled(8)
        self.assertEqual({line["pod"] for line in lines}, {"vllm-0", "vllm-1"})


class DisconnectTest(PlainTest):
    """A client that leaves ends the request at the server: it must not generate to the end."""

    def test_of_a_stream(self):
        before = sum(s.generated_tokens() for s in self.servers)
        stream = self.stream()
        for _, _ in zip(stream, range(5)):
            pass
        server = self.serving()
        stream.close()
        eventually(lambda: server.running() == 0, "the request ends at the server")
        self.assertLess(sum(s.generated_tokens() for s in self.servers) - before, LONG_TOKENS)
        self.assertEqual(self.penstock.wait_handled(1)[0]["outcome"], "client_left")

    def test_while_it_waits_for_a_whole_answer(self):
        before = sum(s.generated_tokens() for s in self.servers)
        with self.penstock.connect() as connection:
            connection.request("POST", "/v1/chat/completions",
                               body=chat_body("Hi", MODEL, max_tokens=LONG_TOKENS, **FOREVER))
            server = self.serving()
        eventually(lambda: server.running() == 0, "the request ends at the server")
        self.assertLess(sum(s.generated_tokens() for s in self.servers) - before, LONG_TOKENS)
        self.assertEqual(self.penstock.wait_handled(1)[0]["outcome"], "client_left")


class PrefixTest(PlainTest):
    strategy = "PREFIX_CACHE"

    def test_turns_of_a_conversation_meet_their_cache(self):
        cached = []
        pods = []
        for user in range(6):
            # Each conversation begins differently, or all of them would share a prefix.
            messages = [{"role": "user", "content": f"{user} is my number. " + f"w{user} " * 400}]
            first = self.ask(messages)
            messages += [{"role": "assistant", "content": first.choices[0].message.content},
                         {"role": "user", "content": "Go on."}]
            second = self.ask(messages)
            cached.append(second.usage.prompt_tokens_details.cached_tokens
                          / first.usage.prompt_tokens)
            lines = self.penstock.wait_handled(2 * (user + 1))[-2:]
            pods.append([line["pod"] for line in lines])
            self.assertGreater(lines[1]["prefix_hit_blocks"], 0)
            self.assertEqual(lines[1]["cached_tokens"],
                             second.usage.prompt_tokens_details.cached_tokens)
        self.assertTrue(all(one == two for one, two in pods), pods)
        # All but the last partial block of the first turn's prompt.
        self.assertGreater(min(cached), 0.8, cached)

    def ask(self, messages):
        return self.client.chat.completions.create(
            model=MODEL, messages=messages, max_tokens=16, temperature=0, extra_body=FOREVER)


class ServerLossTest(PlainTest):
    def test_killed_in_the_middle_of_a_stream(self):
        stream = self.stream()
        with self.assertRaises(openai.APIError) as raised:
            for count, _ in enumerate(stream):
                if count == 5:
                    self.serving().kill()
        self.assertIn("model server", str(raised.exception))
        line = self.penstock.wait_handled(1)[0]
        self.assertEqual((line["outcome"], line["status"]), ("upstream_broke", 200))
        # The other one serves on, without a failure that a client could see.
        for _ in range(4):
            self.assertEqual(list(self.stream(2))[-1].choices[0].finish_reason, "length")

    def test_killed_while_requests_wait(self):
        """Those it had begun to answer fail; those in its queue get a second try."""
        begun = {}  # index of a request: whether its first token came

        def ask(index):
            stream = self.stream(200)
            for chunk in stream:
                begun[index] = True
            return chunk.choices[0].finish_reason

        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            asked = [threads.submit(ask, index) for index in range(8)]
            victim = self.servers[0]
            eventually(lambda: victim.running() == 2 and victim.waiting() >= 1,
                       "some run and some wait")
            victim.kill()
            errors = [future.exception() for future in asked]
        failed = [error for error in errors if error is not None]
        self.assertTrue(all(isinstance(e, openai.APIError) for e in failed), failed)
        self.assertTrue(all(begun.get(i) for i, e in enumerate(errors) if e is not None))
        lines = self.penstock.wait_handled(8)
        outcomes = sorted(line["outcome"] for line in lines)
        self.assertEqual(outcomes, ["complete"] * (8 - len(failed))
                         + ["upstream_broke"] * len(failed))
        again = [line for line in lines if line["tries"] > 1]
        self.assertGreaterEqual(len(again), 1, lines)
        self.assertTrue(all(line["outcome"] == "complete" and line["pod"] == "vllm-1"
                            for line in again), again)

    def test_stopped_in_order(self):
        """SIGTERM ends streams with finish_reason "abort", which looks like success but is not."""
        stream = self.stream()
        finish = None
        for count, chunk in enumerate(stream):
            if count == 5:
                stopped = self.serving()
                stopped.stop_engine()
            if chunk.choices and chunk.choices[0].finish_reason:
                finish = chunk.choices[0].finish_reason
        stopped.kill()
        self.assertEqual(finish, "abort")
        self.assertEqual(self.penstock.wait_handled(1)[0]["outcome"], "aborted")


if __name__ == "__main__":
    unittest.main()
