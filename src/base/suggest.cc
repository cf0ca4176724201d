#include "base/suggest.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace gw {
namespace {

constexpr size_t kDistanceMax = 2;
constexpr size_t kWordBytesMax = 64;

// What people mix up without meaning another word: case, and how parts are joined.
std::string Folded(std::string_view word) {
  std::string out;
  for (const char c : word) {
    if (c == '-' || c == '_' || c == ' ') continue;
    out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return out;
}

// Edits (insert, delete, replace, swap two neighbours) from one word to the other, row by row.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> before_last(b.size() + 1);
  std::vector<size_t> last(b.size() + 1);
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    std::swap(before_last, last);
    std::swap(last, row);
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
  }
  return row.back();
}

}  // namespace

std::string_view NearestWord(std::string_view word, std::span<const std::string_view> known) {
  if (word.empty() || word.size() > kWordBytesMax) return "";
  const std::string folded = Folded(word);
  std::string_view best;
  size_t least = kDistanceMax + 1;
  for (const std::string_view candidate : known) {
    const size_t distance = EditDistance(folded, Folded(candidate));
    if (distance < least && distance * 3 <= std::max<size_t>(candidate.size(), 3)) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

std::string DidYouMean(std::string_view word, std::span<const std::string_view> known) {
  const std::string_view meant = NearestWord(word, known);
  if (meant.empty()) return "";
  return ", did you mean \"" + std::string(meant) + "\"?";
}

}  // namespace gw
