#include "routing/regex.h"

#include <re2/re2.h>

namespace gw {
namespace {

// Memory of one pattern: its program and the states that matching builds. A pattern that needs more
// than its share is refused; states beyond it are built anew, which is slower and still linear.
constexpr int64_t kRegexBytesMax = 1 << 20;

re2::StringPiece PieceOf(std::string_view text) { return {text.data(), text.size()}; }

RE2::Options OptionsOfOurs() {
  RE2::Options options;
  options.set_max_mem(kRegexBytesMax);
  options.set_log_errors(false);
  options.set_never_capture(true);
  // Paths and headers are bytes: what is no UTF-8 must not make a pattern fail to match.
  options.set_encoding(RE2::Options::EncodingLatin1);
  return options;
}

class Re2Regex final : public Regex {
 public:
  explicit Re2Regex(std::string_view pattern) : re2_(PieceOf(pattern), OptionsOfOurs()) {}

  const RE2& re2() const { return re2_; }
  bool Matches(std::string_view text) const override { return RE2::FullMatch(PieceOf(text), re2_); }

 private:
  const RE2 re2_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<const Regex>> Regex::Compile(std::string_view pattern) {
  auto regex = std::make_shared<const Re2Regex>(pattern);
  if (!regex->re2().ok()) return absl::InvalidArgumentError(regex->re2().error());
  return regex;
}

}  // namespace gw
