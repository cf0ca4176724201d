// `penstock explain`, as the admin port answers it.

#pragma once

#include <string>

#include "exchange/history.h"
#include "server/document.h"

namespace gw {

// Where a request went and why, for people. What it did not come to is not told.
std::string ExplainText(const RequestRecord& record);

// The same for programs, with all fields and scores: null for what it did not come to.
Document ExplainDocument(const RequestRecord& record);

}  // namespace gw
