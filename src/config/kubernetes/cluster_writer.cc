#include "config/kubernetes/cluster_writer.h"

#include <utility>

namespace gw::config {

ClusterWriter::ClusterWriter(EventLoop& loop, kube::ServerUrl server,
                             kube::Credentials& credentials, ClusterWriterOptions options,
                             uint64_t seed)
    : loop_(loop),
      server_(std::move(server)),
      credentials_(credentials),
      options_(std::move(options)),
      random_(seed) {}

ClusterWriter::~ClusterWriter() = default;

void ClusterWriter::Connect(const SocketAddress& address) {
  if (options_.lease.name.empty()) return;
  if (connected_ != nullptr) {
    connected_->client.SetAddress(address);
    connected_->lease_client.SetAddress(address);
    return;
  }
  connected_ = std::make_unique<Connected>(
      loop_, kube::ApiServer{address, server_.Authority(), server_.path_prefix}, credentials_,
      options_, random_, [this] { WantStatuses(); });
  counts_ = &connected_->status.counts();
  if (connected_->managed) managed_counts_ = &connected_->managed->counts();
}

void ClusterWriter::Seen(const kube::Resource& resource, kube::ApiObject object) {
  if (connected_ == nullptr) return;
  if (connected_->ports) connected_->ports->Seen(resource, object);
  if (connected_->managed) connected_->managed->Seen(resource, object);
  connected_->status.Seen(resource, std::move(object));
}

void ClusterWriter::Gone(const kube::Resource& resource, const api::ObjectKey& key) {
  if (connected_ == nullptr) return;
  if (connected_->ports) connected_->ports->Gone(resource, key);
  if (connected_->managed) connected_->managed->Gone(resource, key);
  connected_->status.Gone(resource, key);
}

void ClusterWriter::Tell(const ObjectEvent& event) {
  if (connected_ == nullptr || !is_leader_) return;
  const api::ObjectId id{event.object.kind, event.object.group, event.object.ns, event.object.name};
  connected_->events.Write({.object = event.object,
                            .uid = connected_->status.UidOf(id),
                            .warning = event.warning,
                            .reason = event.reason,
                            .message = event.message});
}

void ClusterWriter::Want(const Outcome& outcome) {
  if (connected_ == nullptr) return;
  if (connected_->managed) {
    KeepStatuses(outcome);
    if (outcome.managed) connected_->managed->Want(*outcome.managed);
    WantStatuses();
  } else if (outcome.whole) {
    connected_->status.Want(outcome.status);
  } else {
    connected_->status.WantOf(outcome.status);
  }
  if (connected_->ports) connected_->ports->Want(outcome.shared_ports);
  if (!connected_->lease) Stand();
}

void ClusterWriter::KeepStatuses(const Outcome& outcome) {
  if (outcome.whole) {
    statuses_ = outcome.status;
    return;
  }
  for (const auto& [ref, status] : outcome.status) {
    const auto kept = statuses_.find(ref);
    if (kept != statuses_.end()) kept->second = status;
  }
}

void ClusterWriter::WantStatuses() {
  api::StatusSet explained = statuses_;
  connected_->managed->Explain(&explained);
  connected_->status.Want(explained);
}

void ClusterWriter::Stand() {
  connected_->lease.emplace(connected_->lease_client, options_.lease, Random(random_.Next()),
                            [this](bool held) {
                              is_leader_ = held;
                              connected_->status.SetActive(held);
                              if (connected_->ports) connected_->ports->SetActive(held);
                              if (connected_->managed) connected_->managed->SetActive(held);
                            });
}

void ClusterWriter::Resign(std::function<void()> done) {
  if (connected_ == nullptr || !connected_->lease) return done();
  connected_->lease->Release([done = std::move(done)](bool) { done(); });
}

const kube::StatusWriterCounts* ClusterWriter::counts() const { return counts_; }
const ManagedWriterCounts* ClusterWriter::managed_counts() const { return managed_counts_; }

void AddWriterMetrics(MetricRegistry& metrics, const ClusterWriter& writer) {
  metrics.AddCallback(
      "penstock_kube_leader", "1 while this gateway writes the status of the cluster's objects.",
      "gauge",
      [&writer](const MetricRegistry::Sink& sink) { sink({}, writer.is_leader() ? 1 : 0); });
  metrics.AddCallback("penstock_kube_status_writes_total",
                      "Statuses sent to the API server, or left unsent, by what came of it.",
                      "counter", [&writer](const MetricRegistry::Sink& sink) {
                        const kube::StatusWriterCounts* counts = writer.counts();
                        if (counts == nullptr) return;
                        sink({{"result", "written"}}, static_cast<double>(counts->writes));
                        sink({{"result", "conflict"}}, static_cast<double>(counts->conflicts));
                        sink({{"result", "refused"}}, static_cast<double>(counts->refusals));
                        sink({{"result", "forbidden"}}, static_cast<double>(counts->forbidden));
                        sink({{"result", "absent"}}, static_cast<double>(counts->absent));
                        sink({{"result", "failed"}}, static_cast<double>(counts->failures));
                        sink({{"result", "not_kept"}}, static_cast<double>(counts->not_kept));
                        sink({{"result", "outdated"}}, static_cast<double>(counts->old_views));
                        sink({{"result", "too_many"}}, static_cast<double>(counts->too_many));
                      });
  metrics.AddCallback(
      "penstock_kube_infrastructure_writes_total",
      "Deployments and Services of Gateways sent to the API server, by what came of it.", "counter",
      [&writer](const MetricRegistry::Sink& sink) {
        static const ManagedWriterCounts kNone;  // at 0 where there is no such infrastructure
        const ManagedWriterCounts* managed = writer.managed_counts();
        const ManagedWriterCounts& counts = managed == nullptr ? kNone : *managed;
        sink({{"result", "applied"}}, static_cast<double>(counts.applied));
        sink({{"result", "deleted"}}, static_cast<double>(counts.deleted));
        sink({{"result", "refused"}}, static_cast<double>(counts.refused));
        sink({{"result", "failed"}}, static_cast<double>(counts.failed));
      });
  metrics.AddCallback("penstock_kube_status_parts_left_out_total",
                      "Conditions, parents and ancestors for which a status had no room.",
                      "counter", [&writer](const MetricRegistry::Sink& sink) {
                        const kube::StatusWriterCounts* counts = writer.counts();
                        if (counts != nullptr) sink({}, static_cast<double>(counts->left_out));
                      });
}

}  // namespace gw::config
