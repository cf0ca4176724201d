// What HTTP itself costs per message: heads in, heads out, chunks, events.

#include <benchmark/benchmark.h>

#include <string>

#include "http/h1_parser.h"
#include "http/h1_writer.h"
#include "http/url.h"

namespace gw::http {
namespace {

// What an OpenAI client sends: 12 fields, 470 bytes.
constexpr std::string_view kRequestHead =
    "POST /v1/chat/completions HTTP/1.1\r\n"
    "Host: gateway.inference.svc.cluster.local:8080\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Connection: keep-alive\r\n"
    "Accept: application/json\r\n"
    "Content-Type: application/json\r\n"
    "User-Agent: AsyncOpenAI/Python 1.99.1\r\n"
    "X-Stainless-Lang: python\r\n"
    "X-Stainless-Package-Version: 1.99.1\r\n"
    "X-Stainless-Runtime: CPython\r\n"
    "Authorization: Bearer sk-0123456789abcdefghijklmnopqrstuvwxyz\r\n"
    "Content-Length: 1024\r\n"
    "x-request-id: 8f14e45f-ceea-467f-a830-5d2a0b1f0e55\r\n"
    "\r\n";

// What vLLM answers.
constexpr std::string_view kResponseHead =
    "HTTP/1.1 200 OK\r\n"
    "date: Sun, 22 Nov 2026 21:51:18 GMT\r\n"
    "server: uvicorn\r\n"
    "content-length: 847\r\n"
    "content-type: application/json\r\n"
    "vary: Origin\r\n"
    "x-request-id: facdc8e80c6940a3853ae7c93269055a\r\n"
    "\r\n";

constexpr std::string_view kEvent =
    "data: {\"id\":\"chatcmpl-a6e41a654d052486\",\"object\":\"chat.completion.chunk\","
    "\"created\":1795384278,\"model\":\"/models/Qwen3-32B\",\"choices\":[{\"index\":0,\"delta\":"
    "{\"content\":\" implement\"},\"logprobs\":null,\"finish_reason\":null,\"token_ids\":null}]}"
    "\n\n";

void BM_RequestHead(benchmark::State& state) {
  RequestParser parser;
  for (auto _ : state) {
    const H1Step step = parser.Next(kRequestHead);
    benchmark::DoNotOptimize(step.consumed);
    benchmark::DoNotOptimize(parser.head().headers.size());
    parser.Reset();
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * kRequestHead.size()));
}
BENCHMARK(BM_RequestHead);

// The same head in two reads.
void BM_RequestHeadCutInTwo(benchmark::State& state) {
  RequestParser parser;
  for (auto _ : state) {
    parser.Next(kRequestHead.substr(0, 300));
    benchmark::DoNotOptimize(parser.Next(kRequestHead.substr(300)).consumed);
    parser.Reset();
  }
}
BENCHMARK(BM_RequestHeadCutInTwo);

void BM_ResponseHead(benchmark::State& state) {
  ResponseParser parser;
  for (auto _ : state) {
    benchmark::DoNotOptimize(parser.Next(kResponseHead).consumed);
    parser.Reset(false);
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * kResponseHead.size()));
}
BENCHMARK(BM_ResponseHead);

// The head of a forwarded request, hop-by-hop fields left out.
void BM_WriteRequestHead(benchmark::State& state) {
  RequestParser parser;
  parser.Next(kRequestHead);
  const RequestHead& head = parser.head();
  std::string out;
  for (auto _ : state) {
    out.clear();
    AppendRequestLine(&out, head.method, head.target);
    const HopByHopFields hop_by_hop(head.headers);
    for (const HeaderField& field : head.headers) {
      if (!hop_by_hop.Contains(field.name)) AppendHeader(&out, field.name, field.value);
    }
    AppendHeadEnd(&out);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(BM_WriteRequestHead);

void BM_ParseTarget(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(ParseTarget("/v1/chat/completions?timeout=1.5"));
  }
}
BENCHMARK(BM_ParseTarget);

std::string Events(size_t count) {
  std::string events;
  for (size_t i = 0; i < count; ++i) events += kEvent;
  return events;
}

// Chunks of one event each, `range` of them in one read.
void BM_Chunks(benchmark::State& state) {
  std::string bytes;
  char line[20];
  for (int64_t i = 0; i < state.range(0); ++i) {
    bytes.append(line, FormatChunkSize(kEvent.size(), line));
    bytes += kEvent;
    bytes += "\r\n";
  }
  ChunkDecoder decoder;
  for (auto _ : state) {
    for (std::string_view in = bytes;;) {
      const H1Step step = decoder.Next(in);
      in.remove_prefix(step.consumed);
      if (step.event != H1Event::kBody) break;
      benchmark::DoNotOptimize(step.body.data());
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Chunks)->Arg(1)->Arg(32);

}  // namespace
}  // namespace gw::http
