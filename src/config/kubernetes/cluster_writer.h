// ClusterWriter: writes what became of a cluster's objects into their status, and the ports of the
// Gateways into the Service that they are reached by, or what each Gateway has of its own, for as
// long as this gateway is the one of several that does: see kube/lease.h, kube/status_writer.h,
// service_ports.h and managed_writer.h.
//
// On the loop's thread, but for what is said to be any thread's.

#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "config/config_source.h"
#include "config/kubernetes/managed_writer.h"
#include "config/kubernetes/service_ports.h"
#include "kube/access_options.h"
#include "kube/credentials.h"
#include "kube/event_writer.h"
#include "kube/lease.h"
#include "kube/status_writer.h"
#include "stats/metrics.h"

namespace gw::config {

struct ClusterWriterOptions {
  // Without a name nothing is written.
  kube::LeaseOptions lease;
  kube::StatusWriterOptions status;
  std::optional<api::ObjectKey> service;       // that clients reach the Gateways by
  std::optional<api::ObjectKey> managed_from;  // the Deployment that those of Gateways are made of
  kube::ApiClientOptions client;
};

class ClusterWriter {
 public:
  // `loop` and `credentials` outlive it.
  ClusterWriter(EventLoop& loop, kube::ServerUrl server, kube::Credentials& credentials,
                ClusterWriterOptions options, uint64_t seed);
  ~ClusterWriter();

  // Where the server is; before anything else is told, and again when that is another address.
  void Connect(const SocketAddress& address);
  // As of StatusWriter. With the first wish it stands for election: before that it could not say
  // what is to be written.
  void Seen(const kube::Resource& resource, kube::ApiObject object);
  void Gone(const kube::Resource& resource, const api::ObjectKey& key);
  void Want(const Outcome& outcome);
  // As an Event of the object's namespace (core/v1), if this gateway leads. Sent once; what comes
  // to nothing is logged.
  void Tell(const ObjectEvent& event);
  // For good: another may go on at once. `done` is called when that is known, or can be waited for
  // no longer.
  void Resign(std::function<void()> done);

  // Any thread.
  bool is_leader() const { return is_leader_; }
  const kube::StatusWriterCounts* counts() const;     // nullptr: nothing is written
  const ManagedWriterCounts* managed_counts() const;  // the same

 private:
  // One for the lease alone: behind hundreds of writes its renewal would come too late.
  struct Connected {
    Connected(EventLoop& loop, const kube::ApiServer& server, kube::Credentials& credentials,
              const ClusterWriterOptions& options, Random& random, std::function<void()> on_errors)
        : client(loop, server, credentials, options.client),
          lease_client(loop, server, credentials, options.client),
          status(client, Random(random.Next()), options.status),
          events(client, Random(random.Next()), options.lease.identity) {
      if (options.service) ports.emplace(client, *options.service, Random(random.Next()));
      if (options.managed_from) {
        managed.emplace(client, *options.managed_from, Random(random.Next()), std::move(on_errors));
      }
    }

    kube::ApiClient client;
    kube::ApiClient lease_client;
    kube::StatusWriter status;
    std::optional<ServicePorts> ports;
    std::optional<ManagedWriter> managed;
    std::optional<kube::Lease> lease;
    kube::EventWriter events;
  };

  void KeepStatuses(const Outcome& outcome);
  void WantStatuses();
  void Stand();

  EventLoop& loop_;
  const kube::ServerUrl server_;
  kube::Credentials& credentials_;
  const ClusterWriterOptions options_;
  Random random_;
  std::atomic<bool> is_leader_{false};
  std::atomic<const kube::StatusWriterCounts*> counts_{nullptr};
  std::atomic<const ManagedWriterCounts*> managed_counts_{nullptr};
  api::StatusSet statuses_;  // that are wished, with managed_from
  std::unique_ptr<Connected> connected_;
};

// `writer` outlives the last page.
void AddWriterMetrics(MetricRegistry& metrics, const ClusterWriter& writer);

}  // namespace gw::config
