#include "server/feed/feed_table.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <string>

#include "api/node.h"
#include "base/random.h"
#include "config/file/yaml.h"

namespace gw {
namespace {

constexpr std::string_view kColumns[] = {"name", "value"};

std::string Row(std::string_view name, int64_t value) {
  return Cells().Text(name).Number(value).Take();
}

TEST(Cells, AreJson) {
  EXPECT_EQ(Cells().Take(), "[]");
  EXPECT_EQ(Cells()
                .Text("a\"b\n")
                .TextOrNull("")
                .Number(int64_t{-3})
                .Number(0.123456)
                .Number(12345.6)
                .Number(std::nan(""))
                .Number(std::numeric_limits<double>::infinity())
                .Bool(true)
                .Raw("[1]")
                .Take(),
            R"(["a\"b\n",null,-3,0.1235,12346,null,null,true,[1]])");
}

class FeedTableTest : public testing::Test {
 protected:
  std::string End() {
    std::string out = "{";
    table_.End(&out);
    return out + "}";
  }
  std::string Whole() const {
    std::string out = "{";
    table_.AppendWhole(&out);
    return out + "}";
  }

  FeedTable table_{"t", kColumns};
};

TEST_F(FeedTableTest, TellsOnlyWhatIsAnother) {
  table_.Begin();
  table_.Put("a", Row("a", 1));
  table_.Put("b", Row("b", 1));
  EXPECT_EQ(End(), R"({"t":{"set":{"1":["a",1],"2":["b",1]},"gone":[]}})");
  table_.Begin();
  table_.Put("b", Row("b", 2));
  table_.Put("a", Row("a", 1));
  EXPECT_EQ(End(), R"({"t":{"set":{"2":["b",2]},"gone":[]}})");
  table_.Begin();
  table_.Put("b", Row("b", 2));
  EXPECT_EQ(End(), R"({"t":{"set":{},"gone":["1"]}})");
  table_.Begin();
  table_.Put("b", Row("b", 2));
  EXPECT_EQ(End(), "{}");
  EXPECT_EQ(Whole(), R"({"t":{"columns":["name","value"],"rows":{"2":["b",2]}}})");
}

TEST_F(FeedTableTest, NameIsNotGivenTwice) {
  table_.Begin();
  table_.Put("a", Row("a", 1));
  End();
  table_.Begin();
  End();
  table_.Begin();
  table_.Put("a", Row("a", 1));
  EXPECT_EQ(End(), R"({"t":{"set":{"2":["a",1]},"gone":[]}})");
}

// What a reader has who applies every change, and what one has who comes just now.
class Reader {
 public:
  void Change(const std::string& json) {
    const api::Node top = Parsed(json);
    const api::Node* table = top.Find("t");
    if (table == nullptr) return;
    const api::Node* set = table->Find("set");
    for (size_t i = 0; i < set->items.size(); ++i) {
      rows_[set->keys[i].name] = api::ToJson(set->items[i]);
    }
    for (const api::Node& gone : table->Find("gone")->items) rows_.erase(gone.text);
  }
  void State(const std::string& json) {
    rows_.clear();
    const api::Node top = Parsed(json);
    const api::Node* rows = top.Find("t")->Find("rows");
    for (size_t i = 0; i < rows->items.size(); ++i) {
      rows_[rows->keys[i].name] = api::ToJson(rows->items[i]);
    }
  }
  const std::map<std::string, std::string>& rows() const { return rows_; }

 private:
  static api::Node Parsed(const std::string& json) {
    const config::YamlDocuments yaml = config::ReadYaml(json);
    EXPECT_EQ(yaml.error, "") << json;
    return yaml.documents.at(0);
  }

  std::map<std::string, std::string> rows_;
};

TEST_F(FeedTableTest, ChangesAddUpToTheState) {
  Random random(7);
  std::map<std::string, int64_t> truth;
  Reader follower;
  for (int round = 0; round < 300; ++round) {
    for (int i = 0; i < 5; ++i) {
      const std::string key = "k" + std::to_string(random.Below(30));
      if (random.Below(3) == 0) {
        truth.erase(key);
      } else {
        truth[key] = static_cast<int64_t>(random.Below(4));
      }
    }
    table_.Begin();
    for (const auto& [key, value] : truth) table_.Put(key, Row(key, value));
    follower.Change(End());
    Reader comer;
    comer.State(Whole());
    ASSERT_EQ(follower.rows(), comer.rows()) << "round " << round;
    ASSERT_EQ(comer.rows().size(), truth.size());
    for (const auto& [name, cells] : comer.rows()) {
      const std::string key = cells.substr(2, cells.find('"', 2) - 2);
      ASSERT_EQ(cells, Row(key, truth.at(key)));
    }
  }
}

}  // namespace
}  // namespace gw
