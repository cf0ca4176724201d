#include "kube/event_writer.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "kube/json_node.h"
#include "kube/node_edit.h"
#include "kube/resource.h"
#include "kube/status_conditions.h"

namespace gw::kube {
namespace {

// Below the 1024 of the API: a character that is cut becomes a longer one.
constexpr size_t kMessageBytesMax = 1000;

api::Node Involved(const ObjectEvent& event) {
  api::Node node = MapNode();
  SetMember(&node, "apiVersion", TextNode(event.object.ApiVersion()));
  SetMember(&node, "kind", TextNode(event.object.kind));
  SetMember(&node, "namespace", TextNode(event.object.ns));
  SetMember(&node, "name", TextNode(event.object.name));
  SetText(&node, "uid", event.uid);
  return node;
}

void Failed(const ObjectEvent& event, const std::string& why) {
  Log(LogLevel::kWarning, "An Event was not written",
      {{"object", event.object.ToString()}, {"reason", event.reason}, {"error", why}});
}

}  // namespace

std::string EventJson(const ObjectEvent& event, const std::string& name,
                      const std::string& instance, int64_t now_unix_s) {
  api::Node metadata = MapNode();
  SetMember(&metadata, "name", TextNode(name));
  SetMember(&metadata, "namespace", TextNode(event.object.ns));
  api::Node source = MapNode();
  SetMember(&source, "component", TextNode("penstock"));
  std::string message = event.message;
  if (message.size() > kMessageBytesMax) message.resize(kMessageBytesMax);
  api::Node node = MapNode();
  SetMember(&node, "apiVersion", TextNode("v1"));
  SetMember(&node, "kind", TextNode("Event"));
  SetMember(&node, "metadata", std::move(metadata));
  SetMember(&node, "involvedObject", Involved(event));
  SetMember(&node, "type", TextNode(event.warning ? "Warning" : "Normal"));
  SetMember(&node, "reason", TextNode(event.reason));
  SetMember(&node, "message", TextNode(FitMessage(message)));
  SetMember(&node, "source", std::move(source));
  SetMember(&node, "reportingComponent", TextNode("penstock"));
  SetMember(&node, "reportingInstance", TextNode(instance));
  SetMember(&node, "firstTimestamp", TextNode(UtcText(now_unix_s)));
  SetMember(&node, "lastTimestamp", TextNode(UtcText(now_unix_s)));
  SetMember(&node, "count", NumberNode(1));
  return ToJson(node);
}

void EventWriter::Write(const ObjectEvent& event) {
  if (calls_.size() >= kUnderWayMax) return Failed(event, "too many are under way");
  const int64_t now = RealClock().UnixNanos() / 1'000'000'000;
  const std::string name = fmt::format("{}.{:016x}", event.object.name, random_.Next());
  const Resource events{
      .version = "v1", .plural = "events", .kind = "Event", .ns = event.object.ns};
  const auto place = calls_.emplace(calls_.end());
  *place = client_.Send({.method = "POST",
                         .target = CollectionTarget(events),
                         .content_type = "application/json",
                         .body = EventJson(event, name, instance_, now)},
                        [this, event, place](const ApiAnswer& answer) {
                          if (!answer.ok()) Failed(event, answer.Why());
                          calls_.erase(place);
                        });
}

}  // namespace gw::kube
