// For tests: a folder of its own that goes away with the test.

#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace gw {

class TestFolder {
 public:
  TestFolder() {
    std::string pattern = testing::TempDir() + "/penstock-XXXXXX";
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

  // The path of it.
  std::string Write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(*this / name).parent_path());
    std::ofstream(*this / name) << text;
    return *this / name;
  }
  std::string WriteProgram(const std::string& name, const std::string& shell) const {
    Write(name, "#!/bin/sh\n" + shell);
    chmod((*this / name).c_str(), 0755);
    return *this / name;
  }
  std::string Read(const std::string& name) const {
    std::ifstream file(*this / name);
    return {std::istreambuf_iterator<char>(file), {}};
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

}  // namespace gw
