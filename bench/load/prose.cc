#include "bench/load/prose.h"

#include <algorithm>
#include <string_view>

#include "base/random.h"

namespace gw::bench {
namespace {

constexpr std::string_view kWords =
    " the and for are but not you all any can had her was one our out day get has him"
    " his how man new now old see two way who boy did its let put say she too use dad"
    " mom far big end off own red run set sit ten top try yes yet air arm art ask bad"
    " bag bed bit box bus buy car cat cup cut dog dry ear eat egg eye fan fat few fit"
    " fly fun gas ton got web guy hat hit hot ice job joy key kid law lay leg lie lip"
    " lot low map mix net nor oil pay pen per pet pie pop pot ran raw row sad sat sea"
    " sky son sun tax tea tie tip toe";
constexpr size_t kTokenChars = 4;
constexpr uint32_t kWordBits = 7;
static_assert(kWords.size() == kTokenChars << kWordBits);

}  // namespace

std::string ProseOf(std::span<const Part> parts) {
  size_t tokens = 0;
  for (const Part& part : parts) tokens += part.tokens;
  std::string text;
  text.reserve(tokens * kTokenChars);
  for (const Part& part : parts) {
    Random random(part.id);
    constexpr uint32_t kWordsOfDraw = 64 / kWordBits;
    for (uint32_t made = 0; made < part.tokens;) {
      uint64_t draw = random.Next();
      const uint32_t end = made + std::min(kWordsOfDraw, part.tokens - made);
      for (; made < end; ++made, draw >>= kWordBits) {
        text += kWords.substr((draw & ((1u << kWordBits) - 1)) * kTokenChars, kTokenChars);
      }
    }
  }
  return text;
}

uint64_t ProseId(uint64_t seed, uint64_t kind, uint64_t number) {
  const uint64_t of_kind = Random(Random(seed).Next() ^ kind).Next();
  return Random(of_kind ^ number).Next();
}

}  // namespace gw::bench
