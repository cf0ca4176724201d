// Resource: what is read from an API server, how it is asked for, and what the answers hold: pages
// of a list and events of a watch. Values and functions; any thread.
//
// An answer that is not what it should be is an error and not half a page: a proxy's friendly page
// with status 200 must not look like a list of nothing.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/meta.h"
#include "api/node.h"
#include "base/status.h"

namespace gw::kube {

struct Resource {
  std::string group = {};  // empty: the core group
  std::string version;     // "v1"
  std::string plural;      // "pods"
  std::string kind;        // "Pod"
  std::string ns = {};     // objects of that namespace alone; empty: of all, or of none
  std::string field_selector = {};
  std::string label_selector = {};

  std::string ApiVersion() const;  // "v1", "apps/v1"
  std::string ToString() const;    // "v1/pods", "apps/v1/deployments in shop (app=web)"
};

// The next page of a list of at most `page_max` objects; `token` empty: the first.
std::string ListTarget(const Resource& resource, size_t page_max, std::string_view token);
// A watch of what changes after `resource_version`. Empty: a WatchList, which begins with all there
// is (sendInitialEvents).
std::string WatchTarget(const Resource& resource, std::string_view resource_version, int timeout_s);

// All objects of the resource's namespace, to create one more; one object; its status alone.
std::string CollectionTarget(const Resource& resource);
std::string ObjectTarget(const Resource& resource, const api::ObjectKey& key);
std::string StatusTarget(const Resource& resource, const api::ObjectKey& key);

struct ApiObject {
  api::ObjectKey key;
  std::string uid;
  std::string resource_version;  // opaque: compared for equality alone
  api::Node node;                // whole; apiVersion and kind are filled in if they are not there
};

// An answer that is one object.
absl::StatusOr<ApiObject> ReadObject(std::string_view json, const Resource& resource);

struct ListPage {
  std::vector<ApiObject> objects;
  std::string resource_version;  // of the whole list
  std::string next_token;        // empty: this was the last page
};
absl::StatusOr<ListPage> ReadListPage(std::string_view json, const Resource& resource);

struct WatchEvent {
  enum class Type : uint8_t { kAdded, kModified, kDeleted, kBookmark, kError };
  Type type = Type::kError;
  ApiObject object;                 // of a bookmark the resource_version alone
  bool initial_events_end = false;  // of a bookmark: all there was has been told
  int code = 0;                     // of an error: as in HTTP
  std::string message;
};
absl::StatusOr<WatchEvent> ReadWatchEvent(std::string_view line, const Resource& resource);

}  // namespace gw::kube
