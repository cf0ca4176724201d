// Call: one request of an ApiClient, from its turn to its end, over as many attempts as it takes.
// Of api_client.cc alone.

#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kube/api_client.h"

namespace gw::kube {

class Call final : private ResponseHandler {
 public:
  // Exactly one of `done` and `lines` is set.
  struct Receiver {
    ApiClient::Done done = nullptr;
    LineHandler* lines = nullptr;
    Duration silence_max{0};  // of lines
  };
  static std::unique_ptr<ApiCall> Start(ApiClient& client, ApiRequest request, Receiver receiver);

 private:
  class Handle;
  // What the timer waits for.
  enum class Wait : uint8_t { kTurn, kRetry, kAnswer, kLines, kRefusal };

  Call(ApiClient& client, ApiRequest request, Receiver receiver);

  void OnResponseHead(const http::ResponseHead& head) override;
  void OnResponseBody(std::string_view piece) override;
  void OnResponseEnd() override;
  void OnResponseFailed(const ClientError& error) override;

  void WaitFor(Wait wait, Duration how_long);
  // For a turn, before the first attempt.
  void Begin();
  void Attempt(Reuse reuse);
  void OnTimer();
  bool IsStream() const { return receiver_.lines != nullptr && answer_.status == 200; }
  void TakeLines(std::string_view piece);
  bool RetryAnswered();
  void Fail(ApiFailure failure, std::string error);
  // Tells the answer; last of all.
  void End();
  // Nothing is told from here on.
  void Close();

  ApiClient& client_;
  const ApiRequest request_;
  const std::string target_;
  Receiver receiver_;
  const std::string_view body_parts_[1];
  ClientCall* call_ = nullptr;  // the attempt under way
  bool closed_ = false;
  bool reused_ = true;    // a kept connection may have been used for this attempt
  bool refused_ = false;  // 401 was answered before
  int retries_ = 0;
  ApiAnswer answer_;
  std::string line_;  // the beginning of one
  TimePoint last_piece_;
  Wait wait_ = Wait::kTurn;
  Timer timer_;
};

}  // namespace gw::kube
