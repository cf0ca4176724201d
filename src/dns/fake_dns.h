// A DNS server for tests, on loopback, with a thread of its own (RFC 1035; UDP only).

#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/mutex.h"

namespace gw {

class FakeDns {
 public:
  struct Name {
    std::vector<std::string> ips = {};  // of both families
    uint32_t lifetime_s = 60;
    bool exists = true;
    bool answers = true;
    std::string alias_of = {};  // answered with a CNAME of 2 s before the addresses
  };

  FakeDns() : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    socklen_t size = sizeof address;
    CHECK(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    address_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    thread_ = std::thread([this] { Run(); });
  }
  ~FakeDns() {
    stopping_.store(true);
    thread_.join();
    close(fd_);
  }

  const std::string& address() const { return address_; }
  void Set(const std::string& name, Name what) {
    const MutexLock lock(mutex_);
    names_[name] = std::move(what);
  }
  // For whatever type.
  int questions(const std::string& name) const {
    const MutexLock lock(mutex_);
    const auto found = questions_.find(name);
    return found == questions_.end() ? 0 : found->second;
  }

 private:
  void Run() {
    while (!stopping_.load()) {
      pollfd ready{fd_, POLLIN, 0};
      if (poll(&ready, 1, 20) <= 0) continue;
      char packet[512];
      sockaddr_in from{};
      socklen_t size = sizeof from;
      const ssize_t got =
          recvfrom(fd_, packet, sizeof packet, 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (got < 12) continue;
      const std::string answer = Answer({packet, static_cast<size_t>(got)});
      if (answer.empty()) continue;
      sendto(fd_, answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
    }
  }

  std::string Answer(const std::string& question) {
    std::string name;
    size_t at = 12;
    while (at < question.size() && question[at] != 0) {
      const size_t length = static_cast<unsigned char>(question[at]);
      if (!name.empty()) name += '.';
      name += question.substr(at + 1, length);
      at += length + 1;
    }
    const uint16_t type = static_cast<unsigned char>(question[at + 2]);
    const std::string asked = question.substr(12, at + 5 - 12);
    const MutexLock lock(mutex_);
    ++questions_[name];
    const auto found = names_.find(name);
    if (found != names_.end() && !found->second.answers) return "";
    const bool exists = found != names_.end() && found->second.exists;
    std::string records;
    uint16_t count = 0;
    std::string owner = "\xc0\x0c";
    if (exists && !found->second.alias_of.empty()) {
      const std::string target = Labels(found->second.alias_of);
      records += Record(owner, 5, 2, target);
      owner = target;
      ++count;
    }
    for (const std::string& ip : exists ? found->second.ips : std::vector<std::string>()) {
      const bool v6 = ip.find(':') != std::string::npos;
      if (type != (v6 ? 28 : 1)) continue;
      char raw[16];
      inet_pton(v6 ? AF_INET6 : AF_INET, ip.c_str(), raw);
      records += Record(owner, type, found->second.lifetime_s, {raw, v6 ? 16u : 4u});
      ++count;
    }
    std::string head = question.substr(0, 2);
    head += '\x81';
    head += exists ? '\x80' : '\x83';
    head += Two(1) + Two(count) + Two(0) + Two(0);
    return head + asked + records;
  }

  static std::string Two(uint32_t value) {
    return {static_cast<char>(value >> 8 & 255), static_cast<char>(value & 255)};
  }
  static std::string Labels(const std::string& name) {
    std::string labels;
    size_t begin = 0;
    while (begin < name.size()) {
      const size_t end = std::min(name.find('.', begin), name.size());
      labels += static_cast<char>(end - begin);
      labels += name.substr(begin, end - begin);
      begin = end + 1;
    }
    return labels + '\0';
  }
  static std::string Record(const std::string& owner, uint16_t type, uint32_t lifetime_s,
                            const std::string& data) {
    return owner + Two(type) + Two(1) + Two(lifetime_s >> 16) + Two(lifetime_s & 0xffff) +
           Two(static_cast<uint32_t>(data.size())) + data;
  }

  const int fd_;
  std::string address_;
  std::atomic<bool> stopping_{false};
  mutable Mutex mutex_;
  std::map<std::string, Name> names_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int> questions_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace gw
