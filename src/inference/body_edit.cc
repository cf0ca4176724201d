#include "inference/body_edit.h"

#include <algorithm>

#include "base/check.h"
#include "inference/json_bytes.h"

namespace gw {
namespace {

constexpr size_t kMembersMax = 16;

}  // namespace

void BodyEdit::Begin(std::string_view body) {
  body_ = body;
  texts_.clear();
  edits_.clear();
  finished_ = false;
}

void BodyEdit::Replace(const ByteRange& at, std::string_view text) {
  CHECK(at.offset + at.length <= body_.size());
  edits_.push_back({at.offset, at.length, texts_.size(), text.size()});
  texts_.append(text);
  finished_ = false;
}

void BodyEdit::Set(std::span<const Member> members) {
  CHECK(members.size() <= kMembersMax);
  bool found[kMembersMax] = {};
  internal::JsonItems items(body_);
  std::string_view value;
  const auto offset_of = [this](const char* p) { return static_cast<size_t>(p - body_.data()); };
  size_t end = body_.find('{') + 1;  // of the value before
  bool any_kept = false;             // some member before this one stays
  bool drop_to_next = false;  // what was removed had none before it: it goes up to the next key
  size_t drop_from = 0;
  while (items.Next(&value)) {
    const size_t key_offset = offset_of(items.raw_key().data());
    const size_t value_offset = offset_of(value.data());
    if (drop_to_next) Replace({drop_from, key_offset - drop_from}, "");
    drop_to_next = false;
    const auto member = std::find_if(members.begin(), members.end(), [&](const Member& m) {
      return internal::SameString(items.raw_key(), m.name);
    });
    const bool remove = member != members.end() && member->json.empty();
    if (member != members.end()) found[member - members.begin()] = true;
    if (remove && any_kept) {
      Replace({end, value_offset + value.size() - end}, "");
    } else if (remove) {
      drop_to_next = true;
      drop_from = key_offset;
    } else if (member != members.end()) {
      Replace({value_offset, value.size()}, member->json);
    }
    any_kept |= !remove;
    end = value_offset + value.size();
  }
  std::string added;
  if (drop_to_next) Replace({drop_from, end - drop_from}, "");
  for (size_t i = 0; i < members.size(); ++i) {
    if (found[i] || members[i].only_if_there || members[i].json.empty()) continue;
    added.append(any_kept || !added.empty() ? ", \"" : "\"").append(members[i].name);
    added.append("\": ").append(members[i].json);
  }
  if (!added.empty()) Replace({end, 0}, added);
}

void BodyEdit::Finish() {
  if (finished_) return;
  finished_ = true;
  // Stable: an insertion at the end of a removed range comes after it.
  std::stable_sort(edits_.begin(), edits_.end(),
                   [](const Edit& a, const Edit& b) { return a.offset < b.offset; });
  parts_.clear();
  size_t at = 0;
  const auto add = [this](std::string_view part) {
    if (!part.empty()) parts_.push_back(part);
  };
  for (const Edit& edit : edits_) {
    CHECK(edit.offset >= at);
    add(body_.substr(at, edit.offset - at));
    add(std::string_view(texts_).substr(edit.text_offset, edit.text_length));
    at = edit.offset + edit.length;
  }
  add(body_.substr(at));
  size_ = 0;
  for (std::string_view part : parts_) size_ += part.size();
}

std::span<const std::string_view> BodyEdit::parts() {
  Finish();
  return parts_;
}

uint64_t BodyEdit::size() {
  Finish();
  return size_;
}

std::string BodyEdit::ToString() {
  std::string text;
  for (std::string_view part : parts()) text.append(part);
  return text;
}

}  // namespace gw
