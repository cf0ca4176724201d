#include "translate/tls_memory.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace gw::internal {
namespace {

template <typename Map>
void EraseUnused(Map* map) {
  std::erase_if(*map, [](const auto& entry) { return !entry.second.used; });
  for (auto& [key, entry] : *map) entry.used = false;
}

}  // namespace

TlsMemory::CertificateRead TlsMemory::ReadCertificate(const std::string& source,
                                                      const CertificateText& text,
                                                      int64_t now_unix_s) {
  const auto [it, is_new] = certificates_.try_emplace(source);
  CertificateEntry& entry = it->second;
  entry.used = true;
  if (is_new || entry.text != text) {
    entry.text = text;
    entry.newest = nullptr;
    entry.fault = text.fault;
    if (entry.fault.empty()) {
      auto parsed = Certificate::Parse(text.chain_pem, text.key_pem);
      if (parsed.ok()) {
        entry.newest = *std::move(parsed);
      } else {
        entry.fault = std::string(parsed.status().message());
      }
    }
  }
  CertificateRead read{.served = nullptr, .fault = entry.fault};
  if (entry.newest != nullptr && now_unix_s != 0) {
    const std::string date = entry.newest->FaultAt(now_unix_s);
    if (!date.empty()) read.fault = "tls.crt: " + date;
  }
  if (read.fault.empty()) entry.last_good = entry.newest;
  read.served = entry.last_good;
  return read;
}

TlsMemory::AuthoritiesRead TlsMemory::ReadAuthorities(const std::string& source,
                                                      const std::string& pem) {
  const auto [it, is_new] = authorities_.try_emplace(source);
  AuthoritiesEntry& entry = it->second;
  entry.used = true;
  if (is_new || entry.newest != pem) {
    entry.newest = pem;
    const auto parsed = Trust::Parse(pem);
    entry.fault = parsed.ok() ? "" : std::string(parsed.status().message());
    // Another one's may follow it.
    if (parsed.ok()) entry.last_good = pem.ends_with('\n') ? pem : pem + "\n";
  }
  return {.pem = entry.last_good, .fault = entry.fault};
}

std::shared_ptr<const Trust> TlsMemory::TrustOf(const std::string& pem) {
  Kept<Trust>& kept = trusts_[pem];
  kept.used = true;
  if (kept.value == nullptr) {
    auto parsed = Trust::Parse(pem);
    CHECK(parsed.ok());
    kept.value = *std::move(parsed);
  }
  return kept.value;
}

absl::StatusOr<std::shared_ptr<const Trust>> TlsMemory::SystemTrust(
    const TranslateOptions& options) {
  if (system_trust_ == nullptr) {
    ASSIGN_OR_RETURN(system_trust_, options.read_system_trust());
  }
  return system_trust_;
}

absl::StatusOr<std::shared_ptr<const ClientTls>> TlsMemory::ClientOf(const std::string& key,
                                                                     ClientTls::Options options) {
  Kept<ClientTls>& kept = clients_[key];
  if (kept.value == nullptr || kept.value->options() != options) {
    ASSIGN_OR_RETURN(kept.value, ClientTls::New(std::move(options)));
  }
  kept.used = true;
  return kept.value;
}

absl::StatusOr<std::shared_ptr<const ServerTls>> TlsMemory::ServerOf(const ListenerKey& key,
                                                                     ServerTls::Options options,
                                                                     TicketKeys& tickets) {
  Kept<ServerTls>& kept = servers_[key];
  if (kept.value == nullptr || kept.value->options() != options) {
    ASSIGN_OR_RETURN(kept.value, ServerTls::New(std::move(options), tickets));
  }
  kept.used = true;
  return kept.value;
}

int64_t TlsMemory::NextChangeAfter(int64_t now_unix_s) const {
  int64_t next = 0;
  const auto take = [&](int64_t at) {
    if (at > now_unix_s && (next == 0 || at < next)) next = at;
  };
  for (const auto& [source, entry] : certificates_) {
    if (entry.newest == nullptr) continue;
    take(entry.newest->not_before_unix_s());
    take(entry.newest->not_after_unix_s() + 1);  // its last second counts
  }
  return next;
}

void TlsMemory::ForgetUnused() {
  EraseUnused(&certificates_);
  EraseUnused(&authorities_);
  EraseUnused(&trusts_);
  EraseUnused(&clients_);
  EraseUnused(&servers_);
}

}  // namespace gw::internal
