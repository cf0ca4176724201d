#include "bench/virtual/prefill_half.h"

#include <utility>

#include "base/check.h"

namespace gw::bench {

bool PrefillHalf::Send(VirtualReplica& replica, uint64_t id, uint32_t prompt_tokens,
                       std::vector<uint64_t> block_names) {
  CHECK(replica_ == nullptr);
  id_ = id;
  done_ = false;
  process_start_s_ = replica.process_start_s();
  const bool fits = replica.Submit({.id = id,
                                    .prompt_tokens = prompt_tokens,
                                    .output_tokens = 1,
                                    .block_names = std::move(block_names),
                                    .holds_blocks = true},
                                   this);
  if (fits) replica_ = &replica;
  return fits;
}

bool PrefillHalf::holds_blocks() const {
  return replica_ != nullptr && done_ && replica_->up() &&
         replica_->process_start_s() == process_start_s_;
}

void PrefillHalf::Release() {
  VirtualReplica* const replica = std::exchange(replica_, nullptr);
  if (replica == nullptr || !replica->up() || replica->process_start_s() != process_start_s_)
    return;
  if (done_) {
    replica->ReleaseHeld(id_);
  } else {
    replica->Cancel(id_);
  }
}

void PrefillHalf::OnFinished() {
  done_ = true;
  owner_.OnPrefilled();
}

void PrefillHalf::OnBroken() {
  replica_ = nullptr;
  owner_.OnPrefillBroken();
}

}  // namespace gw::bench
