#include "dataplane/mirrors.h"

#include <utility>
#include <vector>

#include "base/check.h"
#include "dataplane/forwarding.h"
#include "exchange/exchange.h"

namespace gw {

Mirrors::Body::Body(std::string_view bytes, std::shared_ptr<size_t> held)
    : size_(bytes.size()), held_(std::move(held)) {
  bytes_.reserve(bytes.size() + Exchange::kBodyPadding);
  bytes_.append(bytes);
  *held_ += size_;
}

// One copy, from its dispatch to the end of its answer.
class Mirrors::Call final : public ResponseHandler {
 public:
  Call(Mirrors& mirrors, std::string_view route, std::shared_ptr<const Body> body)
      : route(route),
        mirrored(mirrors.env_),
        mirrors_(mirrors),
        body_(std::move(body)),
        timer_(mirrors.upstreams_.loop(), [this] { End(MirrorResult::kTimeout); }) {}
  ~Call() {
    if (call_ != nullptr) call_->Cancel();
  }

  void Send(const ClientRequest& request) {
    timer_.Start(mirrors_.options_.mirror_timeout);
    const EndpointAccess* const access = mirrored.access().get();
    call_ =
        mirrors_.upstreams_.Send({mirrored.address(), access == nullptr ? nullptr : access->tls},
                                 request, Reuse::kVerified, this);
  }

  void OnResponseHead(const http::ResponseHead& head) override { mirrored.OnHead(head.status); }
  void OnResponseBody(std::string_view piece) override {
    if (bytes_ == 0) mirrored.OnFirstByte(now());
    bytes_ += piece.size();
  }
  void OnResponseFlush() override {
    if (bytes_ > mirrors_.options_.mirror_response_bytes_max) End(MirrorResult::kCut);
  }
  void OnResponseEnd() override {
    call_ = nullptr;
    mirrored.OnAnswered(now());
    End(MirrorResult::kAnswered);
  }
  void OnResponseFailed(const ClientError& error) override {
    call_ = nullptr;
    mirrored.OnFailed(TryFailureOf(error.failure), now());
    End(MirrorResult::kFailed);
  }

  const std::string route;
  Mirrored mirrored;

 private:
  TimePoint now() const { return mirrors_.upstreams_.loop().now(); }
  void End(MirrorResult result) {
    timer_.Stop();
    if (call_ != nullptr) std::exchange(call_, nullptr)->Cancel();
    mirrored.End();
    body_.reset();
    mirrors_.Ended(this, result);
  }

  Mirrors& mirrors_;
  std::shared_ptr<const Body> body_;
  ClientCall* call_ = nullptr;
  uint64_t bytes_ = 0;  // of the answer's body
  Timer timer_;
};

Mirrors::Mirrors(ClientPool& upstreams, ExchangeEnvironment& environment,
                 const DataplaneOptions& options)
    : upstreams_(upstreams), env_(environment), options_(options) {}

Mirrors::~Mirrors() {
  for (const auto& [call, owned] : calls_) Count(call->route, MirrorResult::kStopped);
}

void Mirrors::Send(const Copy& copy, std::shared_ptr<const Body>* kept) {
  if (copy.pool == nullptr) {
    Count(copy.route, MirrorResult::kNoEndpoint);
    return;
  }
  if (calls_.size() >= options_.mirrors_max) {
    env_.metrics.CountLimit("mirrors");
    Count(copy.route, MirrorResult::kTooMany);
    return;
  }
  if (*kept == nullptr) {
    if (*held_ + copy.body.size() > options_.mirror_bytes_max) {
      env_.metrics.CountLimit("mirror_bytes");
      Count(copy.route, MirrorResult::kTooLarge);
      return;
    }
    *kept = std::make_shared<const Body>(copy.body, held_);
  }
  auto owned = std::make_unique<Call>(*this, copy.route, *kept);
  Call& call = *owned;
  const MirrorResult result = call.mirrored.Begin(*copy.pool, copy.asked, copy.coded,
                                                  (*kept)->view(), upstreams_.loop().now());
  if (result != MirrorResult::kAnswered) {
    Count(copy.route, result);
    return;
  }
  ClientRequest request = copy.request;
  request.parts = call.mirrored.body().parts();
  request.trailers = {};  // they are gone with the request
  calls_.emplace(&call, std::move(owned));
  call.Send(request);
}

void Mirrors::Count(std::string_view route, MirrorResult result) {
  env_.metrics.CountMirror(route, NameOf(result));
}

void Mirrors::Ended(Call* call, MirrorResult result) {
  if (result == MirrorResult::kTimeout) env_.metrics.CountLimit("mirror_timeout");
  if (result == MirrorResult::kCut) env_.metrics.CountLimit("mirror_response_bytes");
  Count(call->route, result);
  const auto found = calls_.find(call);
  CHECK(found != calls_.end());
  std::unique_ptr<Call> owned = std::move(found->second);
  calls_.erase(found);
  upstreams_.loop().FreeLater(std::move(owned));
}

}  // namespace gw
