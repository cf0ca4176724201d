#include "kube/resource.h"

#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "kube/json_node.h"
#include "kube/node_edit.h"

namespace gw::kube {
namespace {

using api::Node;

constexpr std::string_view kInitialEventsEnd = "k8s.io/initial-events-end";

// For the value of a query parameter: all but unreserved characters (RFC 3986 section 2.3).
std::string PercentEncoded(std::string_view text) {
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~").find(c) != std::string_view::npos;
    if (plain) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return out;
}

// `ns`: objects of that namespace alone; empty: of all, or of none.
std::string PathOf(const Resource& resource, const std::string& ns) {
  std::string path = resource.group.empty() ? "/api/" : absl::StrCat("/apis/", resource.group, "/");
  absl::StrAppend(&path, resource.version);
  if (!ns.empty()) absl::StrAppend(&path, "/namespaces/", ns);
  return absl::StrCat(path, "/", resource.plural);
}

void AppendSelectors(std::string* target, const Resource& resource) {
  if (!resource.field_selector.empty()) {
    absl::StrAppend(target, "&fieldSelector=", PercentEncoded(resource.field_selector));
  }
  if (!resource.label_selector.empty()) {
    absl::StrAppend(target, "&labelSelector=", PercentEncoded(resource.label_selector));
  }
}

void FillIn(Node* object, std::string_view key, std::string_view text) {
  if (object->Find(key) != nullptr) return;
  object->keys.insert(object->keys.begin(), {.name = std::string(key)});
  object->items.insert(object->items.begin(), TextNode(text));
}

absl::StatusOr<ApiObject> ObjectOf(Node node, const Resource& resource, std::string_view where) {
  const Node* metadata = node.Find("metadata");
  ApiObject object{.key = {TextAt(metadata, "namespace"), TextAt(metadata, "name")},
                   .uid = TextAt(metadata, "uid"),
                   .resource_version = TextAt(metadata, "resourceVersion"),
                   .node = {}};
  if (object.key.name.empty() || object.resource_version.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(std::string(where), ".metadata has no ",
                     object.key.name.empty() ? "name" : "resourceVersion"));
  }
  FillIn(&node, "kind", resource.kind);
  FillIn(&node, "apiVersion", resource.ApiVersion());
  object.node = std::move(node);
  return object;
}

// Takes a member out of a map.
std::optional<Node> Take(Node* map, std::string_view key) {
  for (size_t i = 0; i < map->keys.size(); ++i) {
    if (map->keys[i].name == key) return std::move(map->items[i]);
  }
  return std::nullopt;
}

std::optional<WatchEvent::Type> TypeFromName(std::string_view name) {
  using Type = WatchEvent::Type;
  if (name == "ADDED") return Type::kAdded;
  if (name == "MODIFIED") return Type::kModified;
  if (name == "DELETED") return Type::kDeleted;
  if (name == "BOOKMARK") return Type::kBookmark;
  if (name == "ERROR") return Type::kError;
  return std::nullopt;
}

}  // namespace

std::string Resource::ApiVersion() const {
  return group.empty() ? version : absl::StrCat(group, "/", version);
}

std::string Resource::ToString() const {
  std::string text = absl::StrCat(ApiVersion(), "/", plural);
  if (!ns.empty()) absl::StrAppend(&text, " in ", ns);
  for (const std::string* selector : {&field_selector, &label_selector}) {
    if (!selector->empty()) absl::StrAppend(&text, " (", *selector, ")");
  }
  return text;
}

std::string ListTarget(const Resource& resource, size_t page_max, std::string_view token) {
  std::string target = absl::StrCat(PathOf(resource, resource.ns), "?limit=", page_max);
  AppendSelectors(&target, resource);
  if (!token.empty()) absl::StrAppend(&target, "&continue=", PercentEncoded(token));
  return target;
}

std::string WatchTarget(const Resource& resource, std::string_view resource_version,
                        int timeout_s) {
  std::string target =
      absl::StrCat(PathOf(resource, resource.ns), "?watch=true&allowWatchBookmarks=true");
  if (resource_version.empty()) {
    absl::StrAppend(&target, "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan");
  } else {
    absl::StrAppend(&target, "&resourceVersion=", PercentEncoded(resource_version));
  }
  absl::StrAppend(&target, "&timeoutSeconds=", timeout_s);
  AppendSelectors(&target, resource);
  return target;
}

std::string CollectionTarget(const Resource& resource) { return PathOf(resource, resource.ns); }

std::string ObjectTarget(const Resource& resource, const api::ObjectKey& key) {
  return absl::StrCat(PathOf(resource, key.ns), "/", PercentEncoded(key.name));
}

std::string StatusTarget(const Resource& resource, const api::ObjectKey& key) {
  return absl::StrCat(ObjectTarget(resource, key), "/status");
}

absl::StatusOr<ApiObject> ReadObject(std::string_view json, const Resource& resource) {
  ASSIGN_OR_RETURN(Node node, ParseJson(json));
  if (TextAt(&node, "kind") != resource.kind) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the answer is no ", resource.kind, ": its kind is ", api::Quoted(TextAt(&node, "kind"))));
  }
  return ObjectOf(std::move(node), resource, "the answer");
}

absl::StatusOr<ListPage> ReadListPage(std::string_view json, const Resource& resource) {
  ASSIGN_OR_RETURN(Node list, ParseJson(json));
  if (!TextAt(&list, "kind").ends_with("List")) {
    return absl::InvalidArgumentError("the answer is no list: its kind is " +
                                      api::Quoted(TextAt(&list, "kind")));
  }
  const Node* metadata = list.Find("metadata");
  ListPage page{.objects = {},
                .resource_version = TextAt(metadata, "resourceVersion"),
                .next_token = TextAt(metadata, "continue")};
  if (page.resource_version.empty()) {
    return absl::InvalidArgumentError("the list's metadata has no resourceVersion");
  }
  std::optional<Node> items = Take(&list, "items");
  // Go writes an empty list as null.
  if (!items || (!items->is_list() && items->kind != Node::Kind::kNull)) {
    return absl::InvalidArgumentError("the list's items are no list");
  }
  page.objects.reserve(items->items.size());
  for (size_t i = 0; i < items->items.size(); ++i) {
    ASSIGN_OR_RETURN(ApiObject object, ObjectOf(std::move(items->items[i]), resource,
                                                absl::StrCat("items[", i, "]")));
    page.objects.push_back(std::move(object));
  }
  return page;
}

absl::StatusOr<WatchEvent> ReadWatchEvent(std::string_view line, const Resource& resource) {
  ASSIGN_OR_RETURN(Node node, ParseJson(line));
  const std::string name = TextAt(&node, "type");
  const std::optional<WatchEvent::Type> type = TypeFromName(name);
  std::optional<Node> object = Take(&node, "object");
  if (!type || !object || !object->is_map()) {
    return absl::InvalidArgumentError(
        absl::StrCat("no event of a watch: its type is ", api::Quoted(name),
                     object && object->is_map() ? "" : ", and it has no object"));
  }
  WatchEvent event;
  event.type = *type;
  if (*type == WatchEvent::Type::kError) {
    if (!absl::SimpleAtoi(TextAt(&*object, "code"), &event.code)) event.code = 0;
    event.message = TextAt(&*object, "message");
    return event;
  }
  if (*type == WatchEvent::Type::kBookmark) {
    const Node* metadata = object->Find("metadata");
    event.object.resource_version = TextAt(metadata, "resourceVersion");
    if (event.object.resource_version.empty()) {
      return absl::InvalidArgumentError("a bookmark without a resourceVersion");
    }
    const Node* annotations = metadata->Find("annotations");
    event.initial_events_end = TextAt(annotations, kInitialEventsEnd) == "true";
    return event;
  }
  ASSIGN_OR_RETURN(event.object, ObjectOf(*std::move(object), resource, "object"));
  return event;
}

}  // namespace gw::kube
