// Tokens of the simulated model: four bytes of text each.
//
// Text is cut into segments where a real tokeniser would see a special token ("<|im_start|>user\n",
// the content, "<|im_end|>\n"), and each segment into tokens of four bytes, the last one padded. So
// equal prefixes have equal tokens, and an answer that the client sends back as part of the next
// prompt has the tokens it was generated with, wherever it stands.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace gw::sim {

inline constexpr size_t kTokenBytes = 4;

class PromptTokens {
 public:
  void Clear() { bytes_.clear(); }
  void AddSegment(std::string_view text) {
    bytes_.append(text);
    bytes_.append((kTokenBytes - text.size() % kTokenBytes) % kTokenBytes, '\0');
  }
  void AddTokenId(uint32_t id) { bytes_.append(reinterpret_cast<const char*>(&id), sizeof(id)); }
  void Append(const PromptTokens& other) { bytes_.append(other.bytes_); }

  uint32_t size() const { return static_cast<uint32_t>(bytes_.size() / kTokenBytes); }
  std::string_view bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// Appends the text of output token `index`, exactly four letters and spaces: a word that sounds
// like one, drawn from the seed.
void AppendOutputToken(uint64_t seed, uint32_t index, std::string* out);

// How many tokens the model would say before it stops by itself: 16 to 128.
uint32_t NaturalOutputTokens(uint64_t seed);

}  // namespace gw::sim
