// Candidates: the endpoints in play for one decision, each sampled once, with a column per signal.
//
// Columns, as a scorer reads one signal or two of hundreds of endpoints: what lies side by side is
// fetched and computed several at a time. A decision among 500 takes less than half of what it took
// over a list of samples, 5.6 us in place of 12.2.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/check.h"
#include "pool/endpoint.h"
#include "pool/endpoint_view.h"
#include "pool/left_out.h"

namespace gw {

class Candidates {
 public:
  Candidates() = default;
  explicit Candidates(std::span<const EndpointView> views) {
    for (const EndpointView& view : views) Add(view);
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // Row i of a column belongs to candidate i. Meanings: EndpointView (pool/endpoint_view.h).
  std::span<const Endpoint* const> endpoints() const { return Of(endpoints_); }
  std::span<const uint32_t> slots() const { return Of(slots_); }
  std::span<const int32_t> in_flight_requests() const { return Of(in_flight_requests_); }
  std::span<const int64_t> pending_prompt_tokens() const { return Of(pending_prompt_tokens_); }
  std::span<const float> waiting_requests() const { return Of(waiting_requests_); }
  std::span<const float> foreign_requests() const { return Of(foreign_requests_); }
  std::span<const float> kv_cache_utilization_ratios() const { return Of(kv_cache_ratios_); }
  std::span<const float> penalties() const { return Of(penalties_); }
  std::span<const Duration> metrics_ages() const { return Of(metrics_ages_); }
  // 1: fresh, 0: not. As wide as a float, so that it can choose between two of them.
  std::span<const uint32_t> metrics_fresh() const { return Of(metrics_fresh_); }
  std::span<const LoraAffinity> loras() const { return Of(loras_); }
  std::span<const uint32_t> prefix_hit_blocks() const { return Of(prefix_hit_blocks_); }
  std::span<const uint32_t> prefix_hit_tokens() const { return Of(prefix_hit_tokens_); }

  // Filled by whoever asks the prefix index; 0 in a new sample.
  std::span<uint32_t> mutable_prefix_hit_blocks() { return {prefix_hit_blocks_.data(), size_}; }
  std::span<uint32_t> mutable_prefix_hit_tokens() { return {prefix_hit_tokens_.data(), size_}; }

  // Filled by whoever takes the sample.
  const LeftOuts& left_out() const { return left_out_; }
  LeftOuts& mutable_left_out() { return left_out_; }

  void Clear() {
    size_ = 0;
    left_out_.count = 0;
  }
  // Room for that many; what is there stays.
  void Reserve(size_t count) {
    if (count <= capacity_) return;
    ForEachColumn([count](auto& column) { column.resize(count); });
    capacity_ = count;
  }
  void Add(const EndpointView& view) {
    if (size_ == capacity_) Reserve(size_ + 1 + size_ / 2);
    Rows().Set(size_++, view);
  }

  // Where many rows are written in one go: the compiler keeps the columns' places in registers.
  struct Places {
    const Endpoint** endpoints;
    uint32_t* slots;
    int32_t* in_flight_requests;
    int64_t* pending_prompt_tokens;
    float* waiting_requests;
    float* foreign_requests;
    float* kv_cache_ratios;
    float* penalties;
    Duration* metrics_ages;
    uint32_t* metrics_fresh;
    LoraAffinity* loras;
    uint32_t* prefix_hit_blocks;
    uint32_t* prefix_hit_tokens;

    void Set(size_t row, const EndpointView& view) const {
      endpoints[row] = view.endpoint;
      slots[row] = view.slot;
      in_flight_requests[row] = view.in_flight_requests;
      pending_prompt_tokens[row] = view.pending_prompt_tokens;
      waiting_requests[row] = view.waiting_requests;
      foreign_requests[row] = view.foreign_requests;
      kv_cache_ratios[row] = view.kv_cache_utilization_ratio;
      penalties[row] = view.penalty;
      metrics_ages[row] = view.metrics_age;
      metrics_fresh[row] = view.metrics_fresh ? 1 : 0;
      loras[row] = view.lora;
      prefix_hit_blocks[row] = view.prefix_hit_blocks;
      prefix_hit_tokens[row] = view.prefix_hit_tokens;
    }
  };
  // Of the rows that Reserve made room for, whether they are in use or not; valid until the next
  // Reserve. `Resize` says how many there are afterwards.
  Places Rows() {
    return {endpoints_.data(),
            slots_.data(),
            in_flight_requests_.data(),
            pending_prompt_tokens_.data(),
            waiting_requests_.data(),
            foreign_requests_.data(),
            kv_cache_ratios_.data(),
            penalties_.data(),
            metrics_ages_.data(),
            metrics_fresh_.data(),
            loras_.data(),
            prefix_hit_blocks_.data(),
            prefix_hit_tokens_.data()};
  }
  void Resize(size_t count) {
    DCHECK(count <= capacity_);
    size_ = count;
  }
  EndpointView At(size_t i) const {
    DCHECK(i < size_);
    return {.endpoint = endpoints_[i],
            .slot = slots_[i],
            .in_flight_requests = in_flight_requests_[i],
            .pending_prompt_tokens = pending_prompt_tokens_[i],
            .waiting_requests = waiting_requests_[i],
            .foreign_requests = foreign_requests_[i],
            .kv_cache_utilization_ratio = kv_cache_ratios_[i],
            .penalty = penalties_[i],
            .metrics_age = metrics_ages_[i],
            .metrics_fresh = metrics_fresh_[i] != 0,
            .lora = loras_[i],
            .prefix_hit_blocks = prefix_hit_blocks_[i],
            .prefix_hit_tokens = prefix_hit_tokens_[i]};
  }
  // Those for which `gone(row)` is false stay, in their order.
  template <typename Gone>
  void RemoveIf(Gone&& gone) {
    size_t kept = 0;
    for (size_t i = 0; i < size_; ++i) {
      if (gone(i)) continue;
      if (kept != i) ForEachColumn([i, kept](auto& column) { column[kept] = column[i]; });
      ++kept;
    }
    size_ = kept;
  }

 private:
  template <typename Value>
  std::span<const Value> Of(const std::vector<Value>& column) const {
    return {column.data(), size_};
  }
  template <typename Each>
  void ForEachColumn(Each&& each) {
    each(endpoints_);
    each(slots_);
    each(in_flight_requests_);
    each(pending_prompt_tokens_);
    each(waiting_requests_);
    each(foreign_requests_);
    each(kv_cache_ratios_);
    each(penalties_);
    each(metrics_ages_);
    each(metrics_fresh_);
    each(loras_);
    each(prefix_hit_blocks_);
    each(prefix_hit_tokens_);
  }

  // Each has capacity_ rows, so that a new sample costs no more than what is written to it.
  size_t size_ = 0;
  size_t capacity_ = 0;
  LeftOuts left_out_;
  std::vector<const Endpoint*> endpoints_;
  std::vector<uint32_t> slots_;
  std::vector<int32_t> in_flight_requests_;
  std::vector<int64_t> pending_prompt_tokens_;
  std::vector<float> waiting_requests_;
  std::vector<float> foreign_requests_;
  std::vector<float> kv_cache_ratios_;
  std::vector<float> penalties_;
  std::vector<Duration> metrics_ages_;
  std::vector<uint32_t> metrics_fresh_;
  std::vector<LoraAffinity> loras_;
  std::vector<uint32_t> prefix_hit_blocks_;
  std::vector<uint32_t> prefix_hit_tokens_;
};

}  // namespace gw
