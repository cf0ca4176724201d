#include "dataplane/model_list.h"

namespace gw {

// One pool asked for its list: an endpoint, and the next one if that one does not tell.
class ModelListFetch::Question final : public UpstreamHandler {
 public:
  Question(ModelListFetch& fetch, const ModelListPlan::Candidates& candidates)
      : fetch_(fetch),
        candidates_(candidates),
        timer_(fetch.upstreams_.loop(), [this] { OnTimeout(); }) {}
  ~Question() {
    if (connection_ != nullptr) connection_->Cancel();
  }
  void Ask() {
    const std::string& address = candidates_[next_]->address;
    status_ = 0;
    body_.clear();
    head_ = "GET /v1/models HTTP/1.1\r\nhost: " + address + "\r\naccept: application/json\r\n\r\n";
    timer_.Start(fetch_.upstreams_.options().model_list_timeout);
    connection_ = fetch_.upstreams_.Acquire(address);
    connection_->Send({head_, {}, false}, this);
  }
  std::string_view answer() const { return ok_ ? std::string_view(body_) : std::string_view(); }

  void OnUpstreamHead(const http::ResponseHead& head) override { status_ = head.status; }
  void OnUpstreamBody(std::string_view piece) override {
    if (status_ == 0) return;
    if (body_.size() + piece.size() > fetch_.upstreams_.options().model_list_bytes_max) {
      fetch_.on_limit_("model_list_bytes");
      status_ = 0;
    } else {
      body_ += piece;
    }
  }
  void OnUpstreamFlush() override {}
  void OnUpstreamEnd() override {
    connection_ = nullptr;
    Close(status_ == 200);
  }
  void OnUpstreamFailed(TryFailure failure) override {
    connection_ = nullptr;
    // That it closed an idle connection says nothing of the endpoint: it is asked once more.
    if (failure == TryFailure::kStaleConnection && !asked_again_) {
      asked_again_ = true;
      Ask();
      return;
    }
    Close(false);
  }

 private:
  void OnTimeout() {
    fetch_.on_limit_("model_list_timeout");
    connection_->Cancel();
    connection_ = nullptr;
    Close(false);
  }
  void Close(bool ok) {
    timer_.Stop();
    if (!ok && ++next_ < candidates_.size()) {
      Ask();
      return;
    }
    ok_ = ok;
    fetch_.OnAnswer();
  }

  ModelListFetch& fetch_;
  const ModelListPlan::Candidates& candidates_;
  UpstreamConnection* connection_ = nullptr;
  std::string head_;
  std::string body_;
  Timer timer_;
  size_t next_ = 0;
  int status_ = 0;
  bool asked_again_ = false;
  bool ok_ = false;
};

ModelListFetch::ModelListFetch(UpstreamPool& upstreams, ModelListPlan plan, OnLimit on_limit)
    : upstreams_(upstreams), plan_(std::move(plan)), on_limit_(std::move(on_limit)) {}

ModelListFetch::~ModelListFetch() = default;

void ModelListFetch::Start(Done done) {
  done_ = std::move(done);
  for (const ModelListPlan::Candidates& candidates : plan_.ask) {
    questions_.push_back(std::make_unique<Question>(*this, candidates));
  }
  open_ = questions_.size();
  if (open_ == 0) {
    Finish();
    return;
  }
  for (auto& question : questions_) question->Ask();
}

void ModelListFetch::OnAnswer() {
  if (--open_ == 0) Finish();
}

void ModelListFetch::Finish() {
  std::vector<std::string_view> answers;
  for (const auto& question : questions_) {
    if (!question->answer().empty()) answers.push_back(question->answer());
  }
  const std::string merged = MergeModelAnswers(plan_, std::move(answers));
  Done done = std::move(done_);
  done(merged);
}

const std::string* ModelListCache::Find(uint64_t generation, const std::string& key, TimePoint now,
                                        Duration max_age) const {
  if (generation != generation_) return nullptr;
  auto it = entries_.find(key);
  if (it == entries_.end() || now - it->second.at > max_age) return nullptr;
  return &it->second.body;
}

void ModelListCache::Put(uint64_t generation, const std::string& key, TimePoint now,
                         std::string body) {
  if (generation != generation_) {
    entries_.clear();
    generation_ = generation;
  }
  entries_[key] = {now, std::move(body)};
}

}  // namespace gw
