// The objects that are served as they were written, and what a change of them was.

#pragma once

#include <string_view>

#include "admin/admin_server.h"
#include "server/admin_pages.h"

namespace gw {

// Without a query all of them, as YAML documents; "generation=N": JSON, what that one has changed.
// 404 for one that has changed nothing, or is older than what is remembered.
AdminResponse AnswerConfiguration(const AdminSources& sources, std::string_view query);

}  // namespace gw
