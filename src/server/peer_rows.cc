#include "server/peer_rows.h"

#include <fmt/format.h>

#include <string>

namespace gw {
namespace {

constexpr char kAbsent[] = "-";

bool IsHeard(const peers::PeerRow& peer) { return !peer.name.empty(); }

Document PeerDocument(const peers::PeerRow& peer) {
  Document sums = Document::Map();
  sums.Set("requests", peer.sums.requests)
      .Set("prompts", peer.sums.prompts)
      .Set("pending_tokens", peer.sums.pending_tokens)
      .Set("decoding_tokens", peer.sums.decoding_tokens)
      .Set("context_tokens", peer.sums.context_tokens)
      .Set("generated_tokens", peer.sums.generated_tokens);
  Document out = Document::Map();
  out.SetText("name", peer.name)
      .Set("address", peer.address)
      .Set("state", peer.state)
      .SetText("error", peer.error)
      .Set("heard_ago_ms", IsHeard(peer) ? Document(ToMillis(peer.heard_ago)) : Document())
      .Set("endpoints", static_cast<uint64_t>(peer.endpoints))
      .Set("sums", std::move(sums))
      .Set("prefixes", peer.prefixes)
      .Set("sent_bytes", peer.sent_bytes)
      .Set("received_bytes", peer.received_bytes);
  return out;
}

}  // namespace

std::vector<GetColumn> PeerColumns() {
  return {{"NAME"},
          {"ADDRESS"},
          {"STATE"},
          {"HEARD", false, true},
          {"ENDPOINTS"},
          {"IN-FLIGHT", false, true},
          {"PENDING", false, true},
          {"PREFIXES", true, true},
          {"SENT", true, true},
          {"RECEIVED", true, true},
          {"ERROR"}};
}

void AppendPeers(const GetSources& sources, const GetFilter& filter, std::vector<GetRow>* rows) {
  for (const peers::PeerRow& peer : sources.peers) {
    const std::vector<std::string> names = {peer.name, peer.address};
    if (!filter.Takes("", names)) continue;
    const bool heard = IsHeard(peer);
    rows->push_back({names,
                     {{heard ? peer.name : kAbsent, peer.address, peer.state,
                       heard ? fmt::format("{:.0f}ms", ToMillis(peer.heard_ago)) : kAbsent,
                       std::to_string(peer.endpoints), std::to_string(peer.sums.requests),
                       std::to_string(peer.sums.pending_tokens), std::to_string(peer.prefixes),
                       std::to_string(peer.sent_bytes), std::to_string(peer.received_bytes),
                       peer.error.empty() ? kAbsent : peer.error}},
                     PeerDocument(peer)});
  }
}

}  // namespace gw
