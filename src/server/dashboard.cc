#include "server/dashboard.h"

#include <string>

namespace gw {
namespace {

constexpr char kContentSecurityPolicy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

std::string_view TypeOf(std::string_view path) {
  if (path.ends_with(".js")) return "text/javascript; charset=utf-8";
  if (path.ends_with(".css")) return "text/css; charset=utf-8";
  if (path.ends_with(".svg")) return "image/svg+xml";
  if (path.ends_with(".txt")) return "text/plain; charset=utf-8";
  return "text/html; charset=utf-8";
}

// Names below assets/ carry a hash of what is in them; another binary has another page at "/".
std::string_view CachingOf(std::string_view path) {
  return path.starts_with("/assets/") && !path.ends_with(".txt")
             ? "public, max-age=31536000, immutable"
             : "no-cache";
}

AdminResponse PageOf(const DashboardFile& file) {
  return {.content_type = std::string(TypeOf(file.path)),
          .body = std::string(file.bytes),
          .cache_control = std::string(CachingOf(file.path)),
          .fields = {{"content-security-policy", kContentSecurityPolicy},
                     {"x-content-type-options", "nosniff"},
                     {"referrer-policy", "no-referrer"}}};
}

}  // namespace

void AddDashboard(AdminServer::Handlers* handlers) {
  for (const DashboardFile& file : DashboardFiles()) {
    (*handlers)[std::string(file.path)] = [&file](const AdminRequest&) { return PageOf(file); };
  }
}

}  // namespace gw
