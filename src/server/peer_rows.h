// `penstock get peers`: the other gateways of the same endpoints, and what each has there.

#pragma once

#include <vector>

#include "server/get_rows.h"

namespace gw {

std::vector<GetColumn> PeerColumns();
void AppendPeers(const GetSources& sources, const GetFilter& filter, std::vector<GetRow>* rows);

}  // namespace gw
