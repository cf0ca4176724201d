#include "inference/prompt_text.h"

namespace gw {
namespace {

constexpr size_t kKeptBytes = 1 << 20;

}  // namespace

void PromptText::Add(std::string_view text) {
  if (text.size() < kLongPiece) return AddCopy(text);
  pieces_.push_back({text.data(), 0, text.size()});
  size_ += text.size();
}

void PromptText::AddCopy(std::string_view text) {
  if (pieces_.empty() || pieces_.back().lasting != nullptr) {
    pieces_.push_back({nullptr, copies_.size(), 0});
  }
  copies_.append(text);
  pieces_.back().size += text.size();
  size_ += text.size();
}

void PromptText::Clear() {
  pieces_.clear();
  copies_.clear();
  size_ = 0;
  if (pieces_.capacity() * sizeof(Piece) > kKeptBytes) std::vector<Piece>().swap(pieces_);
  if (copies_.capacity() > kKeptBytes) std::string().swap(copies_);
}

std::string PromptText::Joined() const {
  std::string text;
  text.reserve(size_);
  ForEachPiece([&text](std::string_view piece) { text.append(piece); });
  return text;
}

}  // namespace gw
