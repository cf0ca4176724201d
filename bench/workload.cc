#include "bench/workload.h"

#include <algorithm>
#include <cmath>

namespace gw::bench {
namespace {

constexpr uint32_t kTokenChars = 4;
// Ids of parts that are nobody else's lie above those that are shared.
constexpr uint64_t kOwnIds = uint64_t{1} << 32;

Duration Seconds(double seconds) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

// Random times: those between two of them are distributed exponentially.
template <typename Make>
std::vector<Conversation> Poisson(double per_second, Duration lasts, Random& random, Make make) {
  std::vector<Conversation> conversations;
  for (Duration now{}; now < lasts; now += Seconds(-std::log(1 - random.Unit()) / per_second)) {
    conversations.push_back(make());
    conversations.back().begins = now;
  }
  return conversations;
}

uint64_t Mix(uint64_t a, uint64_t b) { return Random(a * 0x9e3779b97f4a7c15 + b).Next(); }

uint64_t QuestionId(uint64_t number, size_t turn) { return kOwnIds + number * 256 + turn * 2; }

}  // namespace

std::vector<Conversation> SharedPrefixes(double per_second, Duration lasts, Random& random) {
  constexpr uint64_t kGroups = 150;
  constexpr uint64_t kQuestions = 5;
  return Poisson(per_second, lasts, random, [&random] {
    const uint64_t group = random.Below(kGroups);
    const uint64_t question = kGroups + group * kQuestions + random.Below(kQuestions);
    return Conversation{.opening = {{group, 6000}, {question, 1200}},
                        .turns = {{.answer_tokens = 1000}}};
  });
}

std::vector<Conversation> Chats(double per_second, Duration lasts, Random& random) {
  constexpr size_t kTurns = 4;
  constexpr Duration kPause = std::chrono::seconds(45);
  return Poisson(per_second / kTurns, lasts, random, [] {
    Conversation chat{.opening = {{0, 1000}}};
    for (size_t turn = 0; turn < kTurns; ++turn) {
      chat.turns.push_back({.pause = kPause, .question_tokens = 1000, .answer_tokens = 300});
    }
    return chat;
  });
}

uint64_t AnswerId(uint64_t number, size_t turn) { return QuestionId(number, turn) + 1; }

std::vector<Part> PromptOf(const Conversation& conversation, uint64_t number, size_t turn) {
  std::vector<Part> parts = conversation.opening;
  for (size_t i = 0; i <= turn; ++i) {
    const Turn& said = conversation.turns[i];
    if (said.question_tokens > 0) parts.push_back({QuestionId(number, i), said.question_tokens});
    if (i < turn) parts.push_back({AnswerId(number, i), said.answer_tokens});
  }
  return parts;
}

std::string TextOf(const std::vector<Part>& parts) {
  static constexpr char kLetters[] = "abcdefghijklmnop";
  std::string text;
  for (const Part& part : parts) {
    Random random(part.id);
    const size_t end = text.size() + size_t{part.tokens} * kTokenChars;
    while (text.size() < end) {
      uint64_t word = random.Next();
      for (size_t i = 0; i < 16 && text.size() < end; ++i, word >>= 4) {
        text += kLetters[word & 15];
      }
    }
  }
  return text;
}

std::vector<uint64_t> BlockNamesOf(const std::vector<Part>& parts, uint32_t block_tokens) {
  std::vector<uint64_t> names;
  uint64_t name = 0;
  uint32_t filled = 0;  // of the block in work
  for (const Part& part : parts) {
    for (uint32_t at = 0; at < part.tokens;) {
      const uint32_t taken = std::min(part.tokens - at, block_tokens - filled);
      name = Mix(Mix(name, part.id), uint64_t{at} << 32 | taken);
      at += taken;
      filled = (filled + taken) % block_tokens;
      if (filled == 0) names.push_back(name);
    }
  }
  return names;
}

}  // namespace gw::bench
