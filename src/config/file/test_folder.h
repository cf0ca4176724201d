// For tests: a folder of its own that goes away with the test.

#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace gw::config {

class TestFolder {
 public:
  TestFolder() {
    std::string pattern = testing::TempDir() + "/penstock-config-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  void Write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(*this / name).parent_path());
    std::ofstream(*this / name) << text;
  }
  void Rename(const std::string& from, const std::string& to) const {
    std::filesystem::rename(*this / from, *this / to);
  }
  void Remove(const std::string& name) const { std::filesystem::remove_all(*this / name); }
  // A symbolic link `name` that says `target`.
  void Link(const std::string& target, const std::string& name) const {
    std::filesystem::create_symlink(target, *this / name);
  }

 private:
  std::string path_;
};

}  // namespace gw::config
