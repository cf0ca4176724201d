#include "kube/event_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kube/json_node.h"
#include "kube/node_edit.h"

namespace gw::kube {
namespace {

using testing::SizeIs;

ObjectEvent Rolled() {
  return {.object = {"penstock.dev", "v1alpha1", "ModelRelease", "shop", "to-v2"},
          .uid = "u-1",
          .warning = true,
          .reason = "RolledBack",
          .message = "TTFT is 2 times"};
}

TEST(EventJson, IsAnEventOfTheApi) {
  const auto made = ParseJson(EventJson(Rolled(), "to-v2.1", "gateway-1", 0));
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(TextAt(&*made, "kind"), "Event");
  EXPECT_EQ(TextAt(&*made, "type"), "Warning");
  EXPECT_EQ(TextAt(&*made, "reason"), "RolledBack");
  EXPECT_EQ(TextAt(&*made, "firstTimestamp"), "1970-01-01T00:00:00Z");
  const api::Node* const involved = MapAt(&*made, "involvedObject");
  EXPECT_EQ(TextAt(involved, "apiVersion"), "penstock.dev/v1alpha1");
  EXPECT_EQ(TextAt(involved, "uid"), "u-1");
  EXPECT_EQ(TextAt(MapAt(&*made, "metadata"), "namespace"), "shop");
}

// An API server refuses more.
TEST(EventJson, ItsMessageFits) {
  ObjectEvent event = Rolled();
  event.message = std::string(1023, 'x') + "\u00e9" + std::string(5000, 'y');
  const auto made = ParseJson(EventJson(event, "to-v2.1", "gateway-1", 0));
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_LE(TextAt(&*made, "message").size(), 1024u);
}

}  // namespace
}  // namespace gw::kube
