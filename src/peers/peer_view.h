// PeerView: what one peer has told of the endpoints that both serve: its sums, which are added to
// the endpoints' accounting for as long as the peer speaks, and what it has put into its prefix
// index, which goes into ours.
//
// One thread, the same for all views: they are the writers of EndpointState::others.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "base/clock.h"
#include "peers/message.h"
#include "pool/endpoint.h"
#include "prefix/index.h"

namespace gw::peers {

class PeerView {
 public:
  // A peer that has said nothing for so long has no traffic, or it is not known.
  static constexpr Duration kSilentMax = std::chrono::milliseconds(500);

  // Both outlive the view.
  PeerView(EndpointTable& table, PrefixIndex& index) : table_(table), index_(index) {}
  ~PeerView() { Withdraw(heard_); }
  PeerView(const PeerView&) = delete;
  PeerView& operator=(const PeerView&) = delete;

  // A connection to it begins.
  void Greet(TimePoint now);
  // A message of the peer's, about sums or its index, or alive. An error is its fault, and nothing
  // that follows it can be believed.
  absl::Status Take(const Message& message, TimePoint now);
  // Takes its sums back if it has said nothing for too long. True: it did, just now.
  bool Expire(TimePoint now);
  // Takes its sums back. What it has said of the index stays.
  void Withdraw(TimePoint now);

  // All of its index has come, if it was asked for that.
  bool has_told_index() const { return has_told_index_; }
  TimePoint heard() const { return heard_; }  // of the last word
  bool silent() const { return silent_; }
  GatewaySums Total() const;  // of all endpoints that both know
  size_t endpoints() const { return endpoints_.size(); }
  uint64_t prefixes() const { return prefixes_; }

 private:
  struct Theirs {
    std::string address;
    std::weak_ptr<EndpointState> state;  // null: not one of ours
    GatewaySums sums;                    // that are part of the state's
    uint64_t whole = 0;                  // the number of the last message that had all
  };

  absl::Status TakeAllSums(std::string_view payload, bool whole, TimePoint now);
  void Apply(const GatewaySums& sums, TimePoint now, Theirs* theirs);
  void Rename(std::string_view address, TimePoint now, Theirs* theirs);
  absl::Status TakePrefixes(std::string_view payload);
  absl::Status TakeRuns(std::string_view payload);
  absl::Status TakeMarks(std::string_view payload);
  // Null: it is not one of ours, or its number has not been told.
  std::shared_ptr<EndpointState> StateOf(Theirs* theirs);
  std::shared_ptr<EndpointState> StateOf(uint32_t number);

  EndpointTable& table_;
  PrefixIndex& index_;
  absl::flat_hash_map<uint32_t, Theirs> endpoints_;  // by the peer's numbers
  std::vector<uint64_t> words_;
  TimePoint heard_{};
  bool silent_ = false;
  uint64_t wholes_ = 0;
  uint64_t prefixes_ = 0;
  bool has_told_index_ = false;
  RunCopy run_;
};

}  // namespace gw::peers
