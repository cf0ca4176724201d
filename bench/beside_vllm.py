#!/usr/bin/env python3
"""`penstock bench` and `vllm bench serve` by turns against one model server: do they agree?

Each pair asks the same server with prompts and answers of the same length at the same rate, every
second time the other way round. Both read their prompts from files in ShareGPT's form: a prompt of
vLLM's random data has as many tokens as its tokenizer says, and other ones where a server counts
otherwise. No prompt comes twice, so that none is cached. Requests are evenly spaced: what is random
in one run is another chance in the next. What the server's own metrics say of each run (vLLM's
histograms, which `penstock sim` has, too) tells whether the two asked the same; a client's figure
less the server's is what was spent between them.

    bench/beside_vllm.py --target http://127.0.0.1:8000 --model m --tokenizer MODEL_FOLDER \\
        --vllm VENV/bin/vllm --pairs 5

Writes Markdown. A row's ratio is ours / vLLM's: the geometric mean of the pairs' ratios with its
95 % confidence interval (Student's t of their logarithms).
"""

import argparse
import json
import math
import os
import pathlib
import random
import re
import string
import subprocess
import sys
import tempfile
import urllib.request

RUN_DEADLINE_S = 600
LETTERS = string.ascii_lowercase
# Two-sided 95 %, by degrees of freedom.
STUDENT_T = {1: 12.71, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306,
             9: 2.262, 10: 2.228, 14: 2.145, 19: 2.093}
# What the server measures, and what of it is told.
SERVER_MEANS_MS = {"TTFT at the server": "vllm:time_to_first_token_seconds",
                   "TPOT at the server": "vllm:request_time_per_output_token_seconds",
                   "E2E at the server": "vllm:e2e_request_latency_seconds"}
CLIENT_FIGURES = {  # name, of the result of either
    "TTFT mean, ms": (("ttft", "mean_ms"), "mean_ttft_ms"),
    "TTFT p50, ms": (("ttft", "p50_ms"), "median_ttft_ms"),
    "TTFT p99, ms": (("ttft", "p99_ms"), "p99_ttft_ms"),
    "TPOT mean, ms": (("tpot", "mean_ms"), "mean_tpot_ms"),
    "TPOT p50, ms": (("tpot", "p50_ms"), "median_tpot_ms"),
    "TPOT p99, ms": (("tpot", "p99_ms"), "p99_tpot_ms"),
    "E2E mean, ms": (("e2e", "mean_ms"), "mean_e2el_ms"),
    "E2E p50, ms": (("e2e", "p50_ms"), "median_e2el_ms"),
    "E2E p99, ms": (("e2e", "p99_ms"), "p99_e2el_ms"),
    "requests/s": (("requests_per_s",), "request_throughput"),
    "output tokens/s": (("output_tokens_per_s",), "output_throughput"),
}


def sums(url):
    """Counters of the server's metrics page, all label sets of a name together."""
    with urllib.request.urlopen(url + "/metrics", timeout=60) as response:
        page = response.read().decode()
    out = {}
    for name, value in re.findall(r"^([a-zA-Z_:]+)(?:\{[^}]*\})? ([^ \n]+)$", page, re.M):
        out[name] = out.get(name, 0) + float(value)
    return out


def of_server(before, after):
    """Means of what the server did between the two."""
    def grown(name):
        return after.get(name, 0) - before.get(name, 0)

    out = {name + ", ms": 1e3 * grown(metric + "_sum") / grown(metric + "_count")
           for name, metric in SERVER_MEANS_MS.items() if grown(metric + "_count") > 0}
    requests = grown("vllm:request_success_total")
    if requests > 0:
        out["requests"] = requests
        out["prompt tokens"] = grown("vllm:prompt_tokens_total") / requests
        out["output tokens"] = grown("vllm:generation_tokens_total") / requests
    if grown("vllm:prefix_cache_queries_total") > 0:
        out["cached %"] = (100 * grown("vllm:prefix_cache_hits_total") /
                           grown("vllm:prefix_cache_queries_total"))
    return out


class Rig:
    def __init__(self, args, folder):
        self.args = args
        self.folder = pathlib.Path(folder)

    def measure(self, command, result, environment=None):
        before = sums(self.args.target)
        log = self.folder / "log"
        with log.open("w") as out:
            ended = subprocess.run([str(part) for part in command], stdout=out,
                                   stderr=subprocess.STDOUT, timeout=RUN_DEADLINE_S,
                                   env={**os.environ, **(environment or {})}, check=False)
        if ended.returncode != 0:
            sys.exit(f"{command[0]} ended with {ended.returncode}:\n{log.read_text()}")
        return json.loads(result.read_text()), of_server(before, sums(self.args.target))

    def prompts(self, name):
        """A file of conversations that nobody has had before."""
        chance = random.Random(f"{name} {os.getpid()}")
        path = self.folder / f"{name}-prompts.json"
        path.write_text(json.dumps([
            {"id": f"{name}-{i}", "conversations": [
                {"from": "human", "value": " ".join(
                    "".join(chance.choices(LETTERS, k=3)) for _ in range(self.args.prompt_words))},
                {"from": "gpt", "value": "word " * self.args.output_tokens}]}
            for i in range(self.args.prompts)]))
        return path

    def ours(self, name):
        args = self.args
        result = self.folder / f"{name}.json"
        said, server = self.measure(
            [args.penstock, "bench", "--target", args.target, "--model", args.model, "--api",
             args.api, "--rate", args.rate, "--burstiness", args.burstiness, "--requests",
             args.prompts, "--workload", "sharegpt", "--dataset", self.prompts(name),
             "--output-tokens", args.output_tokens, "--ignore-eos", "--json", result,
             "--json-requests", "--fail-on-errors"], result)
        figures = {}
        for figure, (path, _) in CLIENT_FIGURES.items():
            value = said["summary"]
            for step in path:
                value = value[step]
            figures[figure] = value
        return figures, server

    def vllm(self, name):
        args = self.args
        result = self.folder / f"{name}.json"
        chat = args.api == "chat"
        said, server = self.measure(
            [args.vllm, "bench", "serve", "--backend", "openai-chat" if chat else "openai",
             "--endpoint", "/v1/chat/completions" if chat else "/v1/completions", "--base-url",
             args.target, "--model", args.model, "--tokenizer", args.tokenizer, "--dataset-name",
             "sharegpt", "--dataset-path", self.prompts(name), "--sharegpt-output-len",
             args.output_tokens, "--num-prompts", args.prompts, "--request-rate", args.rate,
             "--burstiness", args.burstiness, "--ignore-eos", "--temperature", "0",
             "--save-result", "--save-detailed", "--result-dir", self.folder, "--result-filename",
             result.name, "--ready-check-timeout-sec", "0", "--percentile-metrics",
             "ttft,tpot,itl,e2el", "--disable-tqdm"],
            result, {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"})
        if said["completed"] != args.prompts:
            sys.exit(f"vllm completed {said['completed']} of {args.prompts}: are prompts too long?")
        return {figure: said[column] for figure, (_, column) in CLIENT_FIGURES.items()}, server


def ratio_text(pairs):
    """Of (ours, vLLM's)."""
    if any(not (a > 0 and b > 0) for a, b in pairs):
        return "-"
    logs = [math.log(a / b) for a, b in pairs]
    mean = sum(logs) / len(logs)
    if len(logs) < 2:
        return f"{math.exp(mean):.3f}"
    deviation = math.sqrt(sum((each - mean) ** 2 for each in logs) / (len(logs) - 1))
    t = STUDENT_T.get(len(logs) - 1, 2.0)
    reach = t * deviation / math.sqrt(len(logs))
    return f"{math.exp(mean):.3f} [{math.exp(mean - reach):.3f}, {math.exp(mean + reach):.3f}]"


def range_text(values):
    return f"{min(values):.4g}-{max(values):.4g}"


def print_table(pairs):
    """`pairs` of ((our figures, the server's), (vLLM's, the server's))."""
    print("\n| | ours | vllm bench serve | ratio [95 %] |\n|---|---|---|---|")
    for place in (0, 1):
        for name in pairs[0][0][place]:
            both = [(ours[place].get(name, 0), vllm[place].get(name, 0)) for ours, vllm in pairs]
            print(f"| {name} | {range_text([a for a, _ in both])} | "
                  f"{range_text([b for _, b in both])} | {ratio_text(both)} |")
    for kind in ("TTFT", "TPOT", "E2E"):
        name, at_server = f"{kind} mean, ms", f"{kind} at the server, ms"
        if at_server not in pairs[0][0][1]:
            continue
        more = [[run[0][name] - run[1][at_server] for run in runs] for runs in zip(*pairs)]
        print(f"| {kind}, the client's mean less the server's, ms | {range_text(more[0])} | "
              f"{range_text(more[1])} | |")


def flags():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--target", default="http://127.0.0.1:8000")
    parser.add_argument("--model", required=True)
    parser.add_argument("--tokenizer", required=True, help="folder, for vllm")
    parser.add_argument("--vllm", default="vllm")
    parser.add_argument("--penstock", default="build/penstock")
    parser.add_argument("--api", choices=("chat", "completions"), default="chat")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--rate", default="5")
    parser.add_argument("--burstiness", default="1000000",
                        help="of both; 1: Poisson, and chance is another one in each run")
    parser.add_argument("--prompts", type=int, default=200, help="of each run")
    parser.add_argument("--prompt-words", type=int, default=256, help="of four characters each")
    parser.add_argument("--output-tokens", type=int, default=64)
    parser.add_argument("--keep", help="folder for the results of each run")
    return parser.parse_args()


def main():
    args = flags()
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(args, args.keep or folder)
        rig.folder.mkdir(exist_ok=True)
        pairs = []
        for pair in range(args.pairs):
            runs = {}
            for who in ("ours", "vllm") if pair % 2 == 0 else ("vllm", "ours"):
                runs[who] = getattr(rig, who)(f"{who}-{pair}")
                client, server = runs[who]
                print(f"{pair + 1}/{args.pairs} {who}: TTFT {client['TTFT mean, ms']:.1f} ms, "
                      f"at the server {server.get('TTFT at the server, ms', 0):.1f}",
                      file=sys.stderr, flush=True)
            pairs.append((runs["ours"], runs["vllm"]))
        print_table(pairs)


if __name__ == "__main__":
    main()
