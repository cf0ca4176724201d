// What the API server of the tests holds: objects of one resource, the versions they went through,
// and watches of them, by the rules that clients may rely on. Versions look like nothing that could
// be counted with.

#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace gw::kube {

class TestApiStore {
 public:
  struct Event {
    int version;
    std::string line;
  };

  std::string api_version = "v1";
  std::string kind = "Pod";
  // Items of lists of built-in kinds have neither apiVersion nor kind.
  bool built_in = true;

  static std::string VersionText(int version) { return absl::StrCat("v/", version, "+="); }
  static int VersionOf(std::string_view text) {
    int version = -1;
    if (text.size() > 4 &&
        !absl::SimpleAtoi(std::string(text.substr(2, text.size() - 4)), &version))
      return -1;
    return version;
  }

  // Adds it, or changes it.
  Event Put(const std::string& name, const std::string& value, const std::string& ns = "default") {
    Object& object = objects_[{ns, name}];
    object.value = value;
    return PutMembers(name, ns, absl::StrCat(R"("spec":{"value":")", value, R"("})"));
  }
  // The same for members of any kind: `members` stand beside its metadata, `meta` within.
  Event PutMembers(const std::string& name, const std::string& ns, const std::string& members,
                   const std::string& meta = "") {
    Object& object = objects_[{ns, name}];
    const bool is_new = object.uid == 0;
    if (is_new) object.uid = ++last_uid_;
    object.members = members;
    object.meta = meta;
    object.version = ++version_;
    return Note(is_new ? "ADDED" : "MODIFIED", Json({ns, name}, object, true));
  }
  Event Delete(const std::string& name, const std::string& ns = "default") {
    Object object = objects_[{ns, name}];
    objects_.erase({ns, name});
    object.version = ++version_;
    return Note("DELETED", Json({ns, name}, object, true));
  }
  // name -> value
  std::map<std::string, std::string> Values() const {
    std::map<std::string, std::string> values;
    for (const auto& [key, object] : objects_) values[key.second] = object.value;
    return values;
  }
  // What happened until now is forgotten, and lists that are half read are, too.
  void Compact() {
    ++version_;
    compacted_ = version_;
    history_.clear();
    pages_.clear();
  }
  // As a store that was restored from a backup: nothing of now was ever heard of.
  void Restore() {
    version_ = 0;
    compacted_ = 0;
    history_.clear();
    pages_.clear();
    for (auto& [key, object] : objects_) object.version = ++version_;
  }

  // Empty: the token is too old.
  std::string List(size_t limit, const std::string& token) {
    Page page;
    if (token.empty()) {
      page.version = version_;
      for (const auto& [key, object] : objects_) page.rest.push_back(Json(key, object, !built_in));
    } else {
      if (!pages_.contains(token)) return "";
      page = pages_[token];
    }
    std::string items;
    const size_t count = std::min(limit, page.rest.size());
    for (size_t i = 0; i < count; ++i) items += (i == 0 ? "" : ",") + page.rest[i];
    page.rest.erase(page.rest.begin(), page.rest.begin() + static_cast<ptrdiff_t>(count));
    std::string next;
    if (!page.rest.empty()) {
      next = absl::StrCat("next&page=+/", ++last_page_);
      pages_[next] = page;
    }
    return absl::StrCat(R"({"apiVersion":")", api_version, R"(","kind":")", kind,
                        R"(List","metadata":{"resourceVersion":")", VersionText(page.version),
                        R"(","continue":")", next, R"("},"items":)",
                        items.empty() ? "null" : "[" + items + "]", "}");
  }

  bool IsTooOld(int version) const { return version < compacted_; }
  bool IsOfTheFuture(int version) const { return version > version_; }
  std::vector<std::string> LinesAfter(int version) const {
    std::vector<std::string> lines;
    for (const Event& event : history_) {
      if (event.version > version) lines.push_back(event.line);
    }
    return lines;
  }
  std::vector<std::string> InitialLines(bool with_end) const {
    std::vector<std::string> lines;
    for (const auto& [key, object] : objects_)
      lines.push_back(Line("ADDED", Json(key, object, true)));
    if (with_end) lines.push_back(Bookmark(true));
    return lines;
  }
  std::string Bookmark(bool ends_initial = false) const {
    const std::string annotations =
        ends_initial ? R"(,"annotations":{"k8s.io/initial-events-end":"true"})" : "";
    return Line("BOOKMARK",
                absl::StrCat(R"({"kind":")", kind, R"(","metadata":{"resourceVersion":")",
                             VersionText(version_), "\"", annotations, "}}"));
  }
  // Others' objects move the version on, too.
  void MoveOn() { ++version_; }
  std::string version() const { return VersionText(version_); }

  static std::string Line(const std::string& type, const std::string& object) {
    return absl::StrCat(R"({"type":")", type, R"(","object":)", object, "}");
  }
  static std::string StatusObject(int code, const std::string& message) {
    return absl::StrCat(R"({"kind":"Status","apiVersion":"v1","status":"Failure","message":")",
                        message, R"(","code":)", code, "}");
  }

 private:
  using Key = std::pair<std::string, std::string>;
  struct Object {
    int uid = 0;
    int version = 0;
    std::string value;
    std::string members;
    std::string meta;
  };
  struct Page {
    int version = 0;
    std::vector<std::string> rest;
  };

  std::string Json(const Key& key, const Object& object, bool with_kind) const {
    return absl::StrCat(
        "{",
        with_kind ? absl::StrCat(R"("apiVersion":")", api_version, R"(","kind":")", kind, "\",")
                  : "",
        R"("metadata":{"name":")", key.second, "\",",
        key.first.empty() ? "" : absl::StrCat(R"("namespace":")", key.first, "\","), R"("uid":"u)",
        object.uid, R"(","resourceVersion":")", VersionText(object.version), "\"",
        object.meta.empty() ? "" : ",", object.meta, "}", object.members.empty() ? "" : ",",
        object.members, "}");
  }
  Event Note(const std::string& type, const std::string& object) {
    history_.push_back({version_, Line(type, object)});
    return history_.back();
  }

  std::map<Key, Object> objects_;
  std::vector<Event> history_;
  std::map<std::string, Page> pages_;
  int version_ = 0;
  int compacted_ = 0;
  int last_uid_ = 0;
  int last_page_ = 0;
};

}  // namespace gw::kube
