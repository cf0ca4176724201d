// AdminFollower: reads an answer of an admin port that does not end (admin_feed.h), on a thread of
// its own, until it is destroyed.

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "admin/client.h"
#include "base/status.h"
#include "net/event_loop.h"

namespace gw {

class AdminFollower {
 public:
  // Both are called on the follower's thread.
  struct Handlers {
    std::function<void(std::string_view piece)> on_piece;  // of the body of a 200
    // Once, and the last call. Errors are those of AdminGet; FailedPrecondition: another status
    // than 200, with what came with it. OK: the gateway has ended it in order.
    std::function<void(absl::Status status)> on_end;
  };

  static absl::StatusOr<std::unique_ptr<AdminFollower>> Start(const AdminTarget& where,
                                                              std::string target,
                                                              Handlers handlers);
  // No handler runs afterwards.
  ~AdminFollower();
  AdminFollower(const AdminFollower&) = delete;
  AdminFollower& operator=(const AdminFollower&) = delete;

  // A feed has something to say within ten seconds: after so long without a byte it is dead.
  static constexpr Duration kSilence = std::chrono::seconds(30);

 private:
  class Call;
  explicit AdminFollower(std::unique_ptr<EventLoop> loop);

  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<Call> call_;
  std::thread thread_;
};

}  // namespace gw
