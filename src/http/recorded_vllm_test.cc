// Responses recorded from real vLLM servers, see test/data/vllm/README.md.

#include <gtest/gtest.h>

#include "http/http_test_util.h"

namespace gw::http {
namespace {

struct Recording {
  const char* name;
  int status;
  BodyFraming framing;
  size_t fields;
  bool keep_alive;
  size_t body_bytes;
  uint32_t body_hash;  // FNV-1a
  size_t events;
  bool complete;
};

// Counted by another program from the same files.
constexpr Recording kRecordings[] = {
    {"0.14.1/chat_nostream", 200, BodyFraming::kLength, 6, false, 688, 0x6db8d07e, 0, true},
    {"0.14.1/chat_stream_usage", 200, BodyFraming::kChunked, 6, false, 4155, 0x8f14912d, 17, true},
    {"0.14.1/err_bad_json", 400, BodyFraming::kLength, 6, false, 194, 0xeeb5a3cc, 0, true},
    {"0.14.1/err_not_found", 404, BodyFraming::kLength, 6, false, 22, 0xb58ce373, 0, true},
    {"0.14.1/messages_stream", 200, BodyFraming::kChunked, 6, false, 936, 0x8c92b989, 9, true},
    {"0.14.1/models", 200, BodyFraming::kLength, 6, false, 904, 0xaee508ef, 0, true},
    {"0.14.1/responses_nostream", 200, BodyFraming::kLength, 6, false, 1069, 0xcbd1d3f9, 0, true},
    {"0.32.0/chat_nostream", 200, BodyFraming::kLength, 7, false, 847, 0x524f10fd, 0, true},
    {"0.32.0/chat_stream", 200, BodyFraming::kChunked, 7, false, 4038, 0xd706390a, 18, true},
    {"0.32.0/err_http_garbage", 400, BodyFraming::kLength, 5, false, 30, 0x597b2a16, 0, true},
    {"0.32.0/err_method", 405, BodyFraming::kLength, 8, false, 31, 0x363475d4, 0, true},
    {"0.32.0/err_unknown_model", 404, BodyFraming::kLength, 7, false, 149, 0x84b16e3e, 0, true},
    {"0.32.0/health", 200, BodyFraming::kLength, 6, false, 0, 0x811c9dc5, 0, true},
    {"0.32.0/health_head", 405, BodyFraming::kNone, 8, false, 0, 0x811c9dc5, 0, true},
    {"0.32.0/keepalive_chat_stream_1", 200, BodyFraming::kChunked, 6, true, 1035, 0x647a3f42, 5,
     true},
    {"0.32.0/keepalive_first", 200, BodyFraming::kLength, 5, true, 0, 0x811c9dc5, 0, true},
    {"0.32.0/messages_stream", 200, BodyFraming::kChunked, 7, false, 1194, 0x4a3a42b6, 9, true},
    {"0.32.0/metrics_idle", 200, BodyFraming::kLength, 7, false, 55238, 0xcde25a12, 0, true},
    {"0.32.0/models", 200, BodyFraming::kLength, 7, false, 1352, 0xa9c5e04a, 0, true},
    {"0.32.0/queued_stream_so_far", 200, BodyFraming::kChunked, 6, true, 0, 0x811c9dc5, 0, false},
    {"0.32.0/responses_nostream", 200, BodyFraming::kLength, 7, false, 1194, 0x3e1a630d, 0, true},
};

uint32_t Fnv1a(std::string_view bytes) {
  uint32_t hash = 0x811c9dc5;
  for (char c : bytes) hash = (hash ^ static_cast<uint8_t>(c)) * 0x01000193;
  return hash;
}

std::string Load(const Recording& recording) {
  return ReadFile(std::string(PENSTOCK_SOURCE_DIR "/test/data/vllm/") + recording.name +
                  ".response.http");
}

size_t EventsOf(std::string_view body) {
  size_t events = 0;
  for (size_t at = 0; (at = body.find("\n\n", at)) != std::string_view::npos; at += 2) ++events;
  return events;
}

bool AnswersHead(const Recording& recording) { return recording.framing == BodyFraming::kNone; }

TEST(RecordedVllm, IsReadAsItWasCounted) {
  for (const Recording& recording : kRecordings) {
    SCOPED_TRACE(recording.name);
    const std::string bytes = Load(recording);
    ASSERT_FALSE(bytes.empty());
    ResponseParser parser;
    parser.Reset(AnswersHead(recording));
    std::string_view in = bytes;
    std::string body;
    H1Step step;
    do {
      step = parser.Next(in);
      in.remove_prefix(step.consumed);
      body.append(step.body);
    } while (step.event == H1Event::kHead || step.event == H1Event::kBody);
    EXPECT_EQ(step.event, recording.complete ? H1Event::kEnd : H1Event::kNeedMore);
    EXPECT_TRUE(in.empty());
    const ResponseHead& head = parser.head();
    EXPECT_EQ(head.status, recording.status);
    EXPECT_EQ(head.framing, recording.framing);
    EXPECT_EQ(head.headers.size(), recording.fields);
    EXPECT_EQ(head.keep_alive, recording.keep_alive);
    EXPECT_EQ(body.size(), recording.body_bytes);
    EXPECT_EQ(Fnv1a(body), recording.body_hash);
    if (recording.events > 0) EXPECT_EQ(EventsOf(body), recording.events);
    EXPECT_EQ(parser.OnClose(), recording.complete);
  }
}

TEST(RecordedVllm, SmallOnesReadTheSameForEveryCutInTwo) {
  for (const Recording& recording : kRecordings) {
    const std::string bytes = Load(recording);
    if (bytes.size() > 1500) continue;
    const bool head = AnswersHead(recording);
    const Transcript whole = ReadResponses({bytes}, head);
    EXPECT_EQ(ReadResponses(CutInBytes(bytes), head), whole) << recording.name;
    for (size_t at = 0; at <= bytes.size(); ++at) {
      EXPECT_EQ(ReadResponses(CutInTwo(bytes, at), head), whole) << recording.name << " at " << at;
    }
  }
}

TEST(RecordedVllm, AllReadTheSameForRandomCuts) {
  Random random(42);
  for (const Recording& recording : kRecordings) {
    const std::string bytes = Load(recording);
    const bool head = AnswersHead(recording);
    const Transcript whole = ReadResponses({bytes}, head);
    for (int i = 0; i < 50; ++i) {
      const size_t piece_max = 1 + random.Below(bytes.size());
      EXPECT_EQ(ReadResponses(CutAtRandom(bytes, piece_max, &random), head), whole)
          << recording.name;
    }
  }
}

}  // namespace
}  // namespace gw::http
