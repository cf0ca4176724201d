#include "net/port_holder.h"

#include <dirent.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <string_view>

namespace gw {
namespace {

struct Listening {
  std::set<std::string> links;  // "socket:[12345]"
  std::string user;
};

// The listening sockets of these ports in a table of the kernel's: "sl local_address rem_address st
// tx:rx tr:when retrnsmt uid timeout inode".
void ReadTable(const char* table, const std::set<uint16_t>& ports, Listening* listening) {
  std::ifstream file(table);
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string slot, local, remote, state, queues, timer, retransmits, user, timeout, inode;
    words >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> user >>
        timeout >> inode;
    const size_t colon = local.rfind(':');
    if (state != "0A" || colon == std::string::npos) continue;
    uint16_t port = 0;
    std::from_chars(local.data() + colon + 1, local.data() + local.size(), port, 16);
    if (!ports.contains(port)) continue;
    listening->links.insert("socket:[" + inode + "]");
    listening->user = user;
  }
}

Listening FindListening(const std::set<uint16_t>& ports) {
  Listening listening;
  ReadTable("/proc/self/net/tcp", ports, &listening);
  ReadTable("/proc/self/net/tcp6", ports, &listening);
  return listening;
}

// Which of `links` the process has open.
std::set<std::string> HeldBy(const std::string& process, const std::set<std::string>& links) {
  std::set<std::string> held;
  const std::string folder = "/proc/" + process + "/fd";
  DIR* const open_files = opendir(folder.c_str());
  if (open_files == nullptr) return held;
  while (const dirent* entry = readdir(open_files)) {
    char target[64];
    const std::string path = folder + "/" + entry->d_name;
    const ssize_t length = readlink(path.c_str(), target, sizeof(target));
    if (length <= 0) continue;
    std::string link(target, static_cast<size_t>(length));
    if (links.contains(link)) held.insert(std::move(link));
  }
  closedir(open_files);
  return held;
}

}  // namespace

std::string WhoListens(uint16_t port) {
  const Listening listening = FindListening({port});
  if (listening.links.empty()) return "";
  std::string holder = "a process of user " + listening.user;
  DIR* const processes = opendir("/proc");
  if (processes == nullptr) return holder;
  while (const dirent* entry = readdir(processes)) {
    const std::string process = entry->d_name;
    if (process.find_first_not_of("0123456789") != std::string::npos) continue;
    if (HeldBy(process, listening.links).empty()) continue;
    std::ifstream file("/proc/" + process + "/comm");
    std::string name;
    std::getline(file, name);
    holder = name + " (process " + process + ")";
    break;
  }
  closedir(processes);
  return holder;
}

bool OthersListen(const std::set<uint16_t>& ports) {
  const Listening listening = FindListening(ports);
  return HeldBy("self", listening.links).size() < listening.links.size();
}

}  // namespace gw
