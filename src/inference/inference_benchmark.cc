// What reading a request and a response costs, beside what is the least it could cost: copying the
// bytes and simdjson alone.

#include <benchmark/benchmark.h>
#include <simdjson.h>

#include <cstring>
#include <string>
#include <vector>

#include "inference/json_bytes.h"
#include "inference/json_document.h"
#include "inference/parser.h"
#include "inference/response.h"

namespace gw {
namespace {

// A chat of about `bytes`: turns of some hundred characters with the escapes that code brings. The
// model stands last, where finding it costs most.
std::string ChatBody(size_t bytes) {
  const std::string turn =
      "def f(self, x):\\n    \\\"\\\"\\\"Returns x + 1.\\\"\\\"\\\"\\n    return x + 1\\n\\n"
      "The function above adds one to its argument; what does it return for a list of numbers, and "
      "how would you change it so that it takes any number of arguments and returns a tuple? ";
  std::string body =
      "{\"messages\":[{\"role\":\"system\",\"content\":\"You are a helpful assistant.\"}";
  for (int i = 0; body.size() + 100 < bytes; ++i) {
    body += ",{\"role\":\"" + std::string(i % 2 ? "assistant" : "user") + "\",\"content\":\"";
    while (body.size() + 50 < bytes && body.size() % 2000 < 1600) body += turn;
    body += turn + "\"}";
  }
  body += "],\"stream\":true,\"temperature\":0.7,\"model\":\"/models/Qwen3-32B\"}";
  return body;
}

// The body, and its length without the padding.
struct Body {
  explicit Body(size_t bytes) : text(ChatBody(bytes)), size(text.size()) {
    text.append(InferenceParser::kPadding, ' ');
  }
  std::string_view view() const { return {text.data(), size}; }
  std::string text;
  size_t size;
};

void SetBytes(benchmark::State& state, size_t bytes) {
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * bytes));
}

void BM_CopyBody(benchmark::State& state) {
  const Body body(static_cast<size_t>(state.range(0)));
  std::string copy(body.size, ' ');
  for (auto _ : state) {
    std::memcpy(copy.data(), body.text.data(), body.size);
    benchmark::DoNotOptimize(copy.data());
  }
  SetBytes(state, body.size);
}
BENCHMARK(BM_CopyBody)->Arg(1 << 10)->Arg(16 << 10)->Arg(128 << 10)->Arg(1 << 20);

void BM_SimdjsonAlone(benchmark::State& state) {
  const Body body(static_cast<size_t>(state.range(0)));
  simdjson::dom::parser parser;
  for (auto _ : state) {
    benchmark::DoNotOptimize(parser.parse(body.text.data(), body.size, false).error());
  }
  SetBytes(state, body.size);
}
BENCHMARK(BM_SimdjsonAlone)->Arg(1 << 10)->Arg(16 << 10)->Arg(128 << 10)->Arg(1 << 20);

void BM_Parse(benchmark::State& state) {
  const Body body(static_cast<size_t>(state.range(0)));
  InferenceParser parser;
  InferenceRequest request;
  request.api = ApiKind::kChatCompletions;
  for (auto _ : state) {
    benchmark::DoNotOptimize(parser.Parse(body.view(), SIZE_MAX, &request));
    benchmark::DoNotOptimize(parser.prompt().size());
    parser.DropPrompt();
  }
  SetBytes(state, body.size);
}
BENCHMARK(BM_Parse)->Arg(1 << 10)->Arg(16 << 10)->Arg(128 << 10)->Arg(1 << 20)->Arg(4 << 20);

// Where a pool looks at the first 256 blocks alone.
void BM_ParseCut(benchmark::State& state) {
  const Body body(static_cast<size_t>(state.range(0)));
  InferenceParser parser;
  InferenceRequest request;
  request.api = ApiKind::kChatCompletions;
  for (auto _ : state) {
    benchmark::DoNotOptimize(parser.Parse(body.view(), 64 * 256, &request));
  }
  SetBytes(state, body.size);
}
BENCHMARK(BM_ParseCut)->Arg(128 << 10)->Arg(1 << 20)->Arg(4 << 20);

// The part of Parse before anything is asked for.
void BM_Document(benchmark::State& state) {
  const Body body(static_cast<size_t>(state.range(0)));
  internal::JsonDocument document;
  for (auto _ : state) benchmark::DoNotOptimize(document.Read(body.view(), 128));
  SetBytes(state, body.size);
}
BENCHMARK(BM_Document)->Arg(1 << 10)->Arg(16 << 10)->Arg(128 << 10)->Arg(1 << 20);

// Along the members without a document.
void BM_WalkBytes(benchmark::State& state) {
  const Body body(static_cast<size_t>(state.range(0)));
  for (auto _ : state) {
    internal::JsonItems items(body.view());
    std::string_view value;
    while (items.Next(&value)) benchmark::DoNotOptimize(value.data());
  }
  SetBytes(state, body.size);
}
BENCHMARK(BM_WalkBytes)->Arg(16 << 10);

void BM_ParseTokenIds(benchmark::State& state) {
  std::string text = "{\"prompt\":[";
  for (int i = 0; i < 16'000; ++i) text += std::to_string(i * 7 % 128'000) + ", ";
  text += "1],\"model\":\"m\"}";
  const size_t size = text.size();
  text.append(InferenceParser::kPadding, ' ');
  InferenceParser parser;
  InferenceRequest request;
  request.api = ApiKind::kCompletions;
  for (auto _ : state) {
    benchmark::DoNotOptimize(parser.Parse({text.data(), size}, SIZE_MAX, &request));
  }
  SetBytes(state, size);
}
BENCHMARK(BM_ParseTokenIds);

const char kChunk[] =
    "data: {\"id\":\"chatcmpl-a6e41a654d052486\",\"object\":\"chat.completion.chunk\",\"created\":"
    "1795384278,\"model\":\"/models/Qwen3-32B\",\"choices\":[{\"index\":0,\"delta\":{\"content\":"
    "\" node\"},\"logprobs\":null,\"finish_reason\":null,\"token_ids\":null}]}\n\n";

// One event per Feed, as a model server writes them.
void BM_StreamEvent(benchmark::State& state) {
  ResponseReader reader;
  reader.Reset(ApiKind::kChatCompletions, true);
  for (auto _ : state) reader.Feed({kChunk, sizeof(kChunk) - 1});
  benchmark::DoNotOptimize(reader.output_events());
  SetBytes(state, sizeof(kChunk) - 1);
}
BENCHMARK(BM_StreamEvent);

// Many events per Feed, cut in their midst.
void BM_StreamEventsCut(benchmark::State& state) {
  std::string events;
  for (int i = 0; i < 7; ++i) events += kChunk;
  ResponseReader reader;
  reader.Reset(ApiKind::kChatCompletions, true);
  for (auto _ : state) {
    reader.Feed(std::string_view(events).substr(0, 1000));
    reader.Feed(std::string_view(events).substr(1000));
  }
  SetBytes(state, events.size());
  state.counters["ns/event"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * 7e-9,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(BM_StreamEventsCut);

void BM_ResponseBody(benchmark::State& state) {
  std::string body =
      "{\"id\":\"x\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
      "\"content\":\"";
  while (body.size() < static_cast<size_t>(state.range(0))) body += "some words of an answer\\n";
  body +=
      "\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":6}}";
  ResponseReader reader;
  for (auto _ : state) {
    reader.Reset(ApiKind::kChatCompletions, false);
    reader.Feed(body);
    reader.Finish();
    benchmark::DoNotOptimize(reader.usage());
  }
  SetBytes(state, body.size());
}
BENCHMARK(BM_ResponseBody)->Arg(1 << 10)->Arg(64 << 10);

}  // namespace
}  // namespace gw
