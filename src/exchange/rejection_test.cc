#include "exchange/rejection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <string>
#include <vector>

namespace gw {
namespace {

// The rows of the table of statuses and codes in docs/configuration.md.
std::vector<std::string> DocumentedRows() {
  std::ifstream file(std::string(PENSTOCK_SOURCE_DIR) + "/docs/configuration.md");
  std::vector<std::string> rows;
  bool in_table = false;
  for (std::string line; std::getline(file, line);) {
    if (line == "| status | `code` |") {
      in_table = true;
    } else if (in_table && line.empty()) {
      break;
    } else if (in_table && line != "|---|---|") {
      rows.push_back(line);
    }
  }
  return rows;
}

// The words of a row that stand in ` and look like codes.
std::set<std::string> CodesOf(const std::string& row) {
  std::set<std::string> codes;
  for (size_t at = row.find('`'); at != std::string::npos; at = row.find('`', at + 1)) {
    const size_t end = row.find('`', at + 1);
    const std::string word = row.substr(at + 1, end - at - 1);
    const auto of_code = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
    if (word.size() > 1 && std::all_of(word.begin(), word.end(), of_code)) codes.insert(word);
    at = end;
  }
  return codes;
}

TEST(Rejection, EveryCodeIsDocumentedWithItsStatusAndNoOther) {
  const std::vector<std::string> rows = DocumentedRows();
  ASSERT_FALSE(rows.empty());
  std::set<std::string> codes;
  for (size_t i = 1; i < RejectionCount(); ++i) {
    const RejectionInfo& info = InfoOf(static_cast<Rejection>(i));
    codes.emplace(info.code);
    bool found = false;
    for (const std::string& row : rows) {
      if (!CodesOf(row).contains(std::string(info.code))) continue;
      found = true;
      const std::string statuses = row.substr(0, row.find('|', 2));
      EXPECT_NE(statuses.find(std::to_string(info.status)), std::string::npos) << row;
    }
    EXPECT_TRUE(found) << info.code;
  }
  codes.insert("held_bytes");  // a limit that one of them names
  for (const std::string& row : rows) {
    for (const std::string& code : CodesOf(row)) EXPECT_TRUE(codes.contains(code)) << code;
  }
}

}  // namespace
}  // namespace gw
