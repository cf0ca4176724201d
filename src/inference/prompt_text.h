// PromptText: a text in pieces. Long ones stay where they are, mostly in the body, as a prompt of
// a million tokens would cost more to copy than to hash; short ones are put side by side.

#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gw {

class PromptText {
 public:
  static constexpr size_t kLongPiece = 256;  // shorter ones are copied

  size_t size() const { return size_; }
  // `text` outlives the use of this one.
  void Add(std::string_view text);
  void AddCopy(std::string_view text);
  // Gives back what a large text took.
  void Clear();

  // Hands the pieces to `sink` in their order.
  template <typename Sink>
  void ForEachPiece(Sink&& sink) const {
    for (const Piece& piece : pieces_) sink(View(piece));
  }
  std::string Joined() const;

 private:
  struct Piece {
    const char* lasting;  // nullptr: in copies_
    size_t begin;         // there
    size_t size;
  };
  std::string_view View(const Piece& piece) const {
    return piece.lasting != nullptr ? std::string_view(piece.lasting, piece.size)
                                    : std::string_view(copies_).substr(piece.begin, piece.size);
  }

  std::vector<Piece> pieces_;
  std::string copies_;
  size_t size_ = 0;
};

}  // namespace gw
