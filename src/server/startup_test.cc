#include "server/startup.h"

#include <gtest/gtest.h>

namespace gw {
namespace {

TEST(ListenersText, NamesEachOpenListenerWithItsAddress) {
  Snapshot snapshot;
  snapshot.listeners = {{{80}, {"default/a/http", "default/b/http"}, nullptr},
                        {{80, "127.0.0.5"}, {"default/d/http"}, nullptr},
                        {{81, "::1"}, {"default/a/taken"}, nullptr},
                        {{8080}, {"other/c/x"}, nullptr}};
  EXPECT_EQ(ListenersText(snapshot, {{80}, {80, "127.0.0.5"}, {8080}}),
            "default/a/http 0.0.0.0:80, default/b/http 0.0.0.0:80, default/d/http 127.0.0.5:80, "
            "other/c/x 0.0.0.0:8080");
  EXPECT_EQ(ListenersText(snapshot, {{81, "::1"}}), "default/a/taken [::1]:81");
  EXPECT_EQ(ListenersText(snapshot, {}), "");
}

TEST(ListenersText, OfManyTheFirstAreNamed) {
  Snapshot snapshot;
  const ListenerKey key{80, "127.0.0.1"};
  snapshot.listeners = {{key, std::vector<std::string>(53, "n"), nullptr}};
  const std::string text = ListenersText(snapshot, {key});
  EXPECT_TRUE(text.starts_with("n 127.0.0.1:80, n 127.0.0.1:80"));
  EXPECT_TRUE(text.ends_with(":80 and 3 more")) << text;
}

}  // namespace
}  // namespace gw
