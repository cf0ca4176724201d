// For tests: a folder that goes away with the test, and credential plug-ins in it.

#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace gw::kube {

class TestFiles {
 public:
  TestFiles() {
    std::string pattern = testing::TempDir() + "/penstock-kube-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~TestFiles() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TestFiles(const TestFiles&) = delete;
  TestFiles& operator=(const TestFiles&) = delete;

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  // The path of it.
  std::string Write(const std::string& name, const std::string& text) const {
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
  void Remove(const std::string& name) const { std::filesystem::remove(*this / name); }

 private:
  std::string path_;
};

}  // namespace gw::kube
