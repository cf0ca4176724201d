// `penstock get queues`: what waits in each pool's queue, by priority and tenant.

#pragma once

#include <string_view>
#include <vector>

#include "server/get_rows.h"
#include "snapshot/snapshot.h"

namespace gw {

// What those of a tenant that wait, wait for: "ceiling", "saturated", "reserved", "room".
std::string_view StateOf(const RequestQueue::View& view, const RequestQueue::View::Tenant& tenant);

std::vector<GetColumn> QueueColumns();
// One object for each pool with a queue, and a line of it for each priority and tenant that has
// something waiting or in flight; one line if there is none.
void AppendQueues(const GetSources& sources, const GetFilter& filter, std::vector<GetRow>* rows);

}  // namespace gw
