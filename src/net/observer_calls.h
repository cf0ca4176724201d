// ObserverCalls: what a Stream owes to its observer. Events that come while there is none are kept
// for the next one, and a handler may destroy the stream, and this with it.

#pragma once

#include <utility>

#include "net/stream.h"

namespace gw::internal {

class ObserverCalls {
 public:
  ObserverCalls() = default;
  ObserverCalls(const ObserverCalls&) = delete;
  ObserverCalls& operator=(const ObserverCalls&) = delete;
  ~ObserverCalls() {
    if (destroyed_ != nullptr) *destroyed_ = true;
  }

  // True: it is owed calls, which its stream has to make in a later round.
  bool Observe(StreamObserver* observer) {
    observer_ = observer;
    return observer != nullptr && (missed_readable_ || missed_writable_);
  }
  // A Write could not go on: an OnWritable is owed when it can.
  void set_write_blocked(bool blocked) { write_blocked_ = blocked; }
  bool write_blocked() const { return write_blocked_; }
  void MissReadable() { missed_readable_ = true; }
  // Forgets what was kept; whether an OnWritable was among it.
  bool TakeMissed() {
    missed_readable_ = false;
    return std::exchange(missed_writable_, false);
  }

  // OnWritable only if a Write is blocked. Nothing of the stream may be used after the call.
  void Deliver(bool readable, bool writable) {
    bool destroyed = false;
    destroyed_ = &destroyed;
    if (readable) {
      if (observer_ != nullptr) {
        observer_->OnReadable();
        if (destroyed) return;
      } else {
        missed_readable_ = true;
      }
    }
    if (writable && write_blocked_) {
      if (observer_ != nullptr) {
        write_blocked_ = false;
        observer_->OnWritable();
        if (destroyed) return;
      } else {
        missed_writable_ = true;
      }
    }
    destroyed_ = nullptr;
  }

 private:
  StreamObserver* observer_ = nullptr;
  bool write_blocked_ = false;
  bool missed_readable_ = false;
  bool missed_writable_ = false;
  bool* destroyed_ = nullptr;  // set while a handler runs
};

}  // namespace gw::internal
