#include "sim/server/prompt_tokens.h"

namespace gw::sim {
namespace {

uint64_t Mix(uint64_t z) {
  z += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

void AppendOutputToken(uint64_t seed, uint32_t index, std::string* out) {
  constexpr char kConsonants[] = "bdfghklmnprstvwz";
  constexpr char kVowels[] = "aeio";
  const uint64_t bits = Mix(seed + index);
  const char consonant = kConsonants[bits & 15];
  const char vowel = kVowels[(bits >> 4) & 3];
  const char end = kConsonants[(bits >> 8) & 15];
  // The first one does not begin with a space, which clients tend to strip.
  const char text[kTokenBytes] = {index == 0 ? 'W' : ' ', index == 0 ? vowel : consonant,
                                  index == 0 ? consonant : vowel, end};
  out->append(text, kTokenBytes);
}

uint32_t NaturalOutputTokens(uint64_t seed) { return 16 + static_cast<uint32_t>(Mix(~seed) % 113); }

}  // namespace gw::sim
