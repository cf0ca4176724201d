#include "cli/ask.h"

#include "admin/client.h"

namespace gw {
namespace {

// For a path segment or a query value.
std::string PercentEncode(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const unsigned char c : text) {
    if (std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '~') {
      out += static_cast<char>(c);
    } else {
      out += '%';
      out += kHex[c >> 4];
      out += kHex[c & 15];
    }
  }
  return out;
}

int Ask(const std::string& admin, const std::string& target, std::ostream& out, std::ostream& err) {
  absl::StatusOr<SocketAddress> address = SocketAddress::Parse(admin);
  if (!address.ok()) {
    err << "penstock: --admin: " << address.status().message() << "\n";
    return 1;
  }
  absl::StatusOr<AdminAnswer> answer = AdminGet(*address, target);
  if (!answer.ok()) {
    err << "penstock: no answer from a gateway at " << admin << ": " << answer.status().message()
        << "\n";
    return 1;
  }
  if (answer->status != 200) {
    err << "penstock: " << answer->body;
    return 1;
  }
  out << answer->body;
  return 0;
}

}  // namespace

int RunGet(const std::string& kind, const std::string& admin, std::ostream& out,
           std::ostream& err) {
  return Ask(admin, "/get?kind=" + PercentEncode(kind), out, err);
}

int RunExplain(const std::string& request_id, const std::string& admin, std::ostream& out,
               std::ostream& err) {
  return Ask(admin, "/explain?id=" + PercentEncode(request_id), out, err);
}

}  // namespace gw
