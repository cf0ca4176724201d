#include "cli/object_flags.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace gw {
namespace {

TranslateOptions Parsed(const std::string& line) {
  CLI::App app;
  ObjectFlags flags;
  AddObjects(app, flags);
  app.parse(line);
  return OptionsOf(flags);
}

TEST(ObjectFlags, WithoutANameOfOursBothThatWeHaveAre) {
  EXPECT_EQ(Parsed("").controller_names, TranslateOptions().controller_names);
}

TEST(ObjectFlags, NamesThatAreGivenAreOursInTheirPlace) {
  EXPECT_EQ(Parsed("--controller-name penstock.dev/gateway-controller").controller_names,
            std::set<std::string>{"penstock.dev/gateway-controller"});
  EXPECT_EQ(Parsed("--controller-name a.example.com/x --controller-name b/y").controller_names,
            (std::set<std::string>{"a.example.com/x", "b/y"}));
}

TEST(ObjectFlags, ANameIsADomainAndAPath) {
  for (const char* text : {"penstock.dev", "penstock.dev/", "/x", "Penstock.dev/x", "a_b/x"}) {
    try {
      Parsed(std::string("--controller-name ") + text);
      FAIL() << text;
    } catch (const CLI::ValidationError& error) {
      EXPECT_EQ(std::string(error.what()),
                std::string("--controller-name: must be a domain and a path such as "
                            "penstock.dev/gateway-controller, got \"") +
                    text + "\"");
    }
  }
}

}  // namespace
}  // namespace gw
