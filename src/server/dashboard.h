// The dashboard: the files of dashboard/dist, which are in the binary, as pages of the admin port.

#pragma once

#include <span>
#include <string_view>

#include "admin/admin_server.h"

namespace gw {

// In the binary as long as that runs. The list is made by cmake/dashboard.cmake.
struct DashboardFile {
  std::string_view path;  // "/assets/index-B0a1.js"; "/" for index.html
  std::string_view bytes;
};
std::span<const DashboardFile> DashboardFiles();

// Adds a page for each. They hold nothing of the gateway: whoever is let in nowhere else may read
// them, and is asked for a token by the page itself. A page loads nothing from anywhere else, runs
// no script but its own, and stands in nobody's frame.
void AddDashboard(AdminServer::Handlers* handlers);

}  // namespace gw
