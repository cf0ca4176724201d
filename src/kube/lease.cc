#include "kube/lease.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "kube/json_node.h"
#include "kube/node_edit.h"

namespace gw::kube {
namespace {

constexpr char kJson[] = "application/json";

Resource LeasesIn(const std::string& ns) {
  return {.group = "coordination.k8s.io",
          .version = "v1",
          .plural = "leases",
          .kind = "Lease",
          .ns = ns};
}

int StatusOf(const ApiAnswer& answer) {
  return answer.failure == ApiFailure::kNone ? answer.status : 0;
}

}  // namespace

Lease::Lease(ApiClient& client, LeaseOptions options, Random random,
             std::function<void(bool held)> on_change)
    : client_(client),
      loop_(client.loop()),
      options_(std::move(options)),
      resource_(LeasesIn(options_.ns)),
      random_(random),
      on_change_(std::move(on_change)),
      retry_(loop_, [this] { Try(); }),
      timeout_(loop_, [this] { OnTimeout(); }),
      deadline_(loop_, [this] { Lose("it could not be renewed in time"); }) {
  CHECK(!options_.identity.empty());
  CHECK(options_.renew_deadline < options_.duration);
  CHECK(options_.retry_period * 2 < options_.renew_deadline);
  retry_.Start(Duration(0));
}

void Lease::Send(ApiRequest request, OnAnswer on_answer) {
  sent_ = loop_.now();
  Duration timeout = options_.renew_deadline / 2;
  if (releasing_) timeout = std::clamp(release_end_ - sent_, Duration(0), timeout);
  timeout_.Start(timeout);
  // May be sent twice: of two, the second is a conflict.
  request.may_repeat = true;
  call_ = client_.Send(std::move(request), [this, on_answer](const ApiAnswer& answer) {
    call_.reset();
    timeout_.Stop();
    (this->*on_answer)(answer);
  });
}

void Lease::OnTimeout() {
  call_.reset();
  if (releasing_) return EndRelease(!may_be_ours_);
  Fail("no answer in time");
}

// As often as client-go does: a holder steadily, others out of step.
void Lease::Again() {
  const double jitter = held_ ? 0 : options_.retry_jitter * random_.Unit();
  retry_.Start(std::chrono::duration_cast<Duration>(options_.retry_period * (1 + jitter)));
}

void Lease::Fail(const std::string& why) {
  ++counts_.failures;
  version_.clear();
  if (std::exchange(error_, why) != why) {
    Log(LogLevel::kWarning, "An attempt at a Lease failed",
        {{"namespace", options_.ns}, {"name", options_.name}, {"error", why}});
  }
  Again();
}

void Lease::Try() { held_ && !version_.empty() ? Take() : Read(); }

void Lease::Read() {
  Send({.target = ObjectTarget(resource_, {options_.ns, options_.name})}, &Lease::OnRead);
}

void Lease::OnRead(const ApiAnswer& answer) {
  if (StatusOf(answer) == 404) return OnAbsent();
  absl::StatusOr<ApiObject> object = absl::UnknownError(answer.ok() ? "" : answer.Why());
  if (answer.ok()) object = ReadObject(answer.body, resource_);
  if (!object.ok()) {
    if (releasing_) return EndRelease(false);
    return Fail(std::string(object.status().message()));
  }
  Observe(std::move(object->node), std::move(object->resource_version));
  const bool others = !record_.holder.empty() && record_.holder != options_.identity;
  if (releasing_) {
    if (record_.holder != options_.identity) return EndRelease(true);
    return Take();
  }
  if (others && held_) Lose(fmt::format("{} holds it", record_.holder));
  if (!others || OthersTimeIsUp()) return Take();
  error_.clear();
  Again();
}

// One that vanished while another held it is left to the other for as long as it counts on it.
void Lease::OnAbsent() {
  lease_ = {};
  version_.clear();
  if (releasing_) return EndRelease(true);
  const bool others = !record_.holder.empty() && record_.holder != options_.identity;
  if (others && !OthersTimeIsUp()) return Fail("it is gone, and another's time is not up");
  Create();
}

void Lease::Observe(api::Node lease, std::string version) {
  lease_ = std::move(lease);
  version_ = std::move(version);
  const LeaseRecord record = ReadLeaseRecord(lease_);
  if (record == record_) return;
  if (record.holder != record_.holder && record.holder != options_.identity) {
    Log(LogLevel::kInfo, "A Lease is another's, or nobody's",
        {{"namespace", options_.ns}, {"name", options_.name}, {"holder", record.holder}});
  }
  record_ = record;
  observed_ = loop_.now();
}

bool Lease::OthersTimeIsUp() const {
  const Duration theirs = std::chrono::seconds(record_.duration_s);
  return loop_.now() - observed_ >= (record_.duration_s > 0 ? theirs : options_.duration);
}

LeaseRecord Lease::OwnRecord() const {
  const std::string now = MicroTime(loop_.clock().UnixNanos());
  const bool ours = record_.holder == options_.identity;
  const bool first = lease_.kind == api::Node::Kind::kNull;
  return {
      .holder = options_.identity,
      .duration_s = std::chrono::duration_cast<std::chrono::seconds>(options_.duration).count(),
      .acquire_time = ours && !first && !record_.acquire_time.empty() ? record_.acquire_time : now,
      .renew_time = now,
      .transitions = first ? 0 : record_.transitions + (ours ? 0 : 1)};
}

// Takes it, renews it, or gives it back.
void Lease::Take() {
  LeaseRecord record = OwnRecord();
  if (releasing_) {
    record.holder.clear();
    record.duration_s = 1;
  }
  api::Node lease = lease_;
  WriteLeaseRecord(record, &lease);
  may_be_ours_ = true;
  Send({.method = "PUT",
        .target = ObjectTarget(resource_, {options_.ns, options_.name}),
        .content_type = kJson,
        .body = ToJson(lease)},
       releasing_ ? &Lease::OnReleased : &Lease::OnTaken);
}

void Lease::Create() {
  api::Node metadata = MapNode();
  SetMember(&metadata, "name", TextNode(options_.name));
  SetMember(&metadata, "namespace", TextNode(options_.ns));
  api::Node lease = MapNode();
  SetMember(&lease, "apiVersion", TextNode(resource_.ApiVersion()));
  SetMember(&lease, "kind", TextNode(resource_.kind));
  SetMember(&lease, "metadata", std::move(metadata));
  WriteLeaseRecord(OwnRecord(), &lease);
  may_be_ours_ = true;
  Send({.method = "POST",
        .target = CollectionTarget(resource_),
        .content_type = kJson,
        .body = ToJson(lease)},
       &Lease::OnTaken);
}

void Lease::OnTaken(const ApiAnswer& answer) {
  // Somebody else was faster, or it was we ourselves, by an attempt that was given up.
  if (StatusOf(answer) == 409 && held_) {
    version_.clear();
    return Read();
  }
  if (!answer.ok()) return Fail(answer.Why());
  absl::StatusOr<ApiObject> object = ReadObject(answer.body, resource_);
  if (!object.ok()) return Fail(std::string(object.status().message()));
  Observe(std::move(object->node), std::move(object->resource_version));
  if (record_.holder != options_.identity) return Fail("the answer names another holder");
  const Duration left = sent_ + options_.renew_deadline - loop_.now();
  if (left <= Duration(0)) return Fail("the answer came too late");
  ++counts_.renewals;
  error_.clear();
  deadline_.Start(left);
  if (!held_) Gain();
  Again();
}

void Lease::Gain() {
  held_ = true;
  ++counts_.gains;
  Log(LogLevel::kInfo, "A Lease is held",
      {{"namespace", options_.ns}, {"name", options_.name}, {"identity", options_.identity}});
  on_change_(true);
}

void Lease::Lose(const std::string& why) {
  held_ = false;
  ++counts_.losses;
  deadline_.Stop();
  version_.clear();
  Log(LogLevel::kWarning, "A Lease is lost",
      {{"namespace", options_.ns}, {"name", options_.name}, {"error", why}});
  on_change_(false);
}

void Lease::Release(std::function<void(bool released)> done) {
  CHECK(!releasing_);
  releasing_ = true;
  released_ = std::move(done);
  call_.reset();
  for (Timer* timer : {&retry_, &timeout_, &deadline_}) timer->Stop();
  if (std::exchange(held_, false)) on_change_(false);
  release_end_ = loop_.now() + options_.renew_deadline;
  // If there is nothing to give back, the timer of the attempt ends it.
  if (!may_be_ours_) return timeout_.Start(Duration(0));
  Read();
}

void Lease::OnReleased(const ApiAnswer& answer) {
  if (answer.ok()) return EndRelease(true);
  if (StatusOf(answer) == 409) return Read();
  EndRelease(false);
}

void Lease::EndRelease(bool released) {
  if (may_be_ours_) {
    Log(LogLevel::kInfo, released ? "A Lease is given back" : "A Lease could not be given back",
        {{"namespace", options_.ns}, {"name", options_.name}});
  }
  const auto done = std::exchange(released_, nullptr);
  if (done) done(released);
}

}  // namespace gw::kube
