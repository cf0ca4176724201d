#include "cli/ask.h"

#include <poll.h>
#include <unistd.h>

#include <set>
#include <sstream>

#include "admin/client.h"
#include "base/escape.h"
#include "base/log.h"
#include "cli/admin_flags.h"

namespace gw {
namespace {

constexpr int kWatchIntervalMs = 1000;

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

using Method = decltype(&AdminGet);

// The first line, cut, without control characters: whoever answered may be anybody.
std::string Excerpt(std::string_view body) {
  constexpr size_t kBytesMax = 100;
  const std::string_view line = body.substr(0, body.find('\n'));
  std::string out;
  for (const unsigned char c : line.substr(0, kBytesMax)) {
    out += c >= 0x20 && c < 0x7f ? static_cast<char>(c) : '?';
  }
  return line.size() > kBytesMax ? out + "..." : out;
}

// Who else may have answered.
std::string_view GuessOf(const AdminAnswer& answer) {
  const auto says = [&answer](std::string_view text) {
    return answer.body.find(text) != std::string::npos;
  };
  if (says("{\"detail\":")) return "it looks like a model server (vLLM, SGLang)";
  if (says("\"code\":\"route_not_found\"") || says("\"code\":\"model_not_found\"")) {
    return "it looks like a Gateway's listener";
  }
  if (answer.content_type.starts_with("text/html")) return "it looks like a web site";
  return "it is another program";
}

// Our own refusals begin like kubectl's.
bool IsOurs(const AdminAnswer& answer) {
  if (answer.status == 200) return !answer.content_type.starts_with("text/html");
  return answer.body.starts_with("error: ") || answer.body.starts_with("Error from server");
}

// True if the gateway's answer is in `body`.
bool Ask(Method method, const AdminFlags& admin, const std::string& target, std::string* body,
         std::ostream& err) {
  const absl::StatusOr<AdminTarget> where = TargetOf(admin);
  if (!where.ok()) {
    err << "penstock: " << where.status().message() << "\n";
    return false;
  }
  SetLogLevel(LogLevel::kError);  // what is wrong is said here, in words for people
  absl::StatusOr<AdminAnswer> answer = method(*where, target, std::chrono::seconds(10));
  if (!answer.ok()) {
    err << "penstock: no answer from a gateway at " << admin.address << ": "
        << answer.status().message();
    if (where->tls == nullptr && !absl::IsDeadlineExceeded(answer.status())) {
      err << "; one that speaks TLS wants --admin https://" << admin.address;
    }
    err << "\n";
    return false;
  }
  if (!IsOurs(*answer)) {
    err << "penstock: what listens at " << admin.address
        << " is not the admin port of a gateway: " << GuessOf(*answer) << ", which answers "
        << answer->status << " \"" << Excerpt(answer->body)
        << "\"; --admin says where the gateway's is\n";
    return false;
  }
  if (answer->status != 200) {
    err << PrintableLines(answer->body);
    return false;
  }
  *body = PrintableLines(answer->body);
  return true;
}

std::string GetTarget(const GetFlags& flags) {
  // "pool/qwen" as well as "pool qwen".
  const size_t slash = flags.kind.find('/');
  std::string target = "/get?kind=" + PercentEncode(flags.kind.substr(0, slash));
  std::string names = slash == std::string::npos ? "" : flags.kind.substr(slash + 1);
  for (const std::string& name : flags.names) names += (names.empty() ? "" : ",") + name;
  if (!names.empty()) target += "&name=" + PercentEncode(names);
  if (!flags.ns.empty()) target += "&namespace=" + PercentEncode(flags.ns);
  if (!flags.output.empty()) target += "&output=" + PercentEncode(flags.output);
  if (flags.watch) target += "&watch=true";
  return target;
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// The rows that were not there a moment ago; a document as a whole.
void PrintChanges(const std::string& before, const std::string& now, bool is_table,
                  std::ostream& out) {
  if (before == now) return;
  if (!is_table) {
    out << now << std::flush;
    return;
  }
  const std::vector<std::string> old_lines = Lines(before);
  const std::set<std::string> known(old_lines.begin(), old_lines.end());
  const std::vector<std::string> lines = Lines(now);
  for (size_t i = 0; i < lines.size(); ++i) {
    // Columns may have become wider: then the titles are said again.
    if (!known.contains(lines[i])) out << lines[i] << "\n";
  }
  out << std::flush;
}

// False as soon as nobody reads standard output any more: `get --watch | head`.
bool WaitWhileRead(int ms) {
  pollfd output{STDOUT_FILENO, 0, 0};
  return poll(&output, 1, ms) <= 0;
}

}  // namespace

int RunGet(const GetFlags& flags, std::ostream& out, std::ostream& err) {
  const std::string target = GetTarget(flags);
  const bool is_table = flags.output.empty() || flags.output == "wide";
  std::string shown;
  if (!Ask(AdminGet, flags.admin, target, &shown, err)) return 1;
  if (shown.empty()) err << "No resources found\n";
  out << shown << std::flush;
  while (flags.watch && out) {
    if (!WaitWhileRead(kWatchIntervalMs)) return 0;
    std::string now;
    if (!Ask(AdminGet, flags.admin, target, &now, err)) return 1;
    PrintChanges(shown, now, is_table, out);
    shown = std::move(now);
  }
  return 0;
}

int RunExplain(const ExplainFlags& flags, std::ostream& out, std::ostream& err) {
  if (flags.request_id.empty() && !flags.last && flags.pool.empty()) {
    err << "penstock explain: which request? wanted an ID, --last or --pool POOL\n";
    return 1;
  }
  std::string target = "/explain?";
  if (!flags.request_id.empty()) {
    target += "id=" + PercentEncode(flags.request_id);
  } else {
    target += flags.pool.empty() ? "last=true" : "pool=" + PercentEncode(flags.pool);
  }
  if (!flags.output.empty()) target += "&output=" + PercentEncode(flags.output);
  std::string text;
  if (!Ask(AdminGet, flags.admin, target, &text, err)) return 1;
  out << text;
  return 0;
}

int RunRelease(const ReleaseFlags& flags, std::ostream& out, std::ostream& err) {
  if (!flags.ns.empty() && flags.name.find('/') != std::string::npos) {
    err << "penstock release: " << flags.name << " names a namespace, and so does -n " << flags.ns
        << ": one of them is wanted\n";
    return 1;
  }
  std::string target = "/releases?do=" + PercentEncode(flags.command);
  target += "&name=" + PercentEncode(flags.name);
  if (!flags.ns.empty()) target += "&namespace=" + PercentEncode(flags.ns);
  std::string text;
  if (!Ask(AdminPut, flags.admin, target, &text, err)) return 1;
  out << text;
  return 0;
}

int RunLogLevel(const std::string& level, const AdminFlags& admin, std::ostream& out,
                std::ostream& err) {
  std::string text;
  const bool answered =
      level.empty() ? Ask(AdminGet, admin, "/log-level", &text, err)
                    : Ask(AdminPut, admin, "/log-level?level=" + PercentEncode(level), &text, err);
  out << text;
  return answered ? 0 : 1;
}

}  // namespace gw
