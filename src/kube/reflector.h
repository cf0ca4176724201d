// Reflector: keeps a receiver informed of all objects of one resource. It reads the whole once and
// then what changes, for as long as it lives:
//
//   WatchList, where the server has it: one stream that begins with all there is
//   or LIST in pages, and WATCH from the version of the list
//     the stream ends, breaks or falls silent -> WATCH again from the last version seen
//     that version is too old (410)           -> from the beginning, after a back-off
//     404: the kind is not installed          -> kAbsent, asked again every 30 s
//     403: it may not be read                 -> kForbidden, asked again every 30 s
//     anything else                           -> kUnreachable, after a back-off of 1 s to 30 s
//
// The receiver is told differences only, also when the whole is read again. What it was told stays
// true until it is told otherwise: a server that cannot be reached takes no object away, a kind
// that is gone does. A 404 is believed at once if there are no objects to lose, else at the second
// in a row, for a server that starts or a proxy before it may answer one by mistake.
//
// On the loop's thread, all of it.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/random.h"
#include "kube/api_client.h"
#include "kube/backoff.h"
#include "kube/held_objects.h"
#include "kube/resource.h"

namespace gw::kube {

enum class ReflectorState : uint8_t {
  kSyncing,      // "syncing": the whole was not read yet
  kSynced,       // "synced": it was, and changes are told
  kAbsent,       // "absent": the server does not know the kind, so that there are no objects
  kForbidden,    // "forbidden": we may not read it
  kUnreachable,  // "unreachable": there was no answer, or none to use; what was told may be old
};
std::string_view NameOf(ReflectorState state);

struct ReflectorStatus {
  ReflectorState state = ReflectorState::kSyncing;
  TimePoint since{};  // it is in that state
  std::string error;  // of the last try, empty in kSynced
};

// Must not destroy the reflector.
class ReflectorSink {
 public:
  // It came, or is another than before. If an object of that name was deleted and made anew, only
  // the uid tells.
  virtual void OnChanged(ApiObject object) = 0;
  virtual void OnDeleted(const api::ObjectKey& key) = 0;
  // The state is another one; at kSynced and kAbsent everything has been told.
  virtual void OnStatus(const ReflectorStatus& status) = 0;

 protected:
  ~ReflectorSink() = default;
};

struct ReflectorOptions {
  bool watch_list = true;        // false: LIST and WATCH from the beginning
  size_t page_max = 500;         // objects of a page; halved if a page is too large
  size_t objects_max = 200'000;  // kube_objects: more: kUnreachable, with an error that names it
  // timeoutSeconds of a watch is drawn from these. Silent for that long and the slack: half-open.
  int watch_min_s = 300;
  int watch_max_s = 600;
  Duration watch_slack = std::chrono::seconds(30);
  // A WatchList whose beginning has no end by then is one the server does not know: LIST is used.
  Duration initial_events_max = std::chrono::seconds(60);
  // A stream that lasted as long is no failure when it ends.
  Duration steady_watch_min = std::chrono::seconds(5);
  Duration slow_retry =
      std::chrono::seconds(30);  // of kAbsent and kForbidden; by a fifth to and fro
};

class Reflector final : private LineHandler {
 public:
  // Begins in the next round of the loop. `client` and `sink` outlive it. Random: of its own, by a
  // seed that is passed in.
  Reflector(ApiClient& client, Resource resource, ReflectorSink& sink, Random random,
            const ReflectorOptions& options = {});

  const Resource& resource() const { return resource_; }
  const ReflectorStatus& status() const { return status_; }
  // Everything was told at least once; that there is no such kind counts.
  bool has_synced() const { return has_synced_; }
  size_t objects() const { return held_.size(); }

 private:
  enum class Step : uint8_t { kSync, kWatch };

  void OnStreamStart() override;
  void OnLine(std::string_view line) override;
  void OnStreamEnd(const ApiAnswer& answer) override;

  void Later(Step step, Duration after);
  void Retry(Step step) { Later(step, backoff_.Next(random_)); }
  void Sync();
  void AskPage(const std::string& token);
  void OnPage(const std::string& token, const ApiAnswer& answer);
  void Watch();
  void EndWatch();
  bool Tell(ApiObject object);
  void OnEvent(WatchEvent event);
  void OnBrokenWatch(const std::string& error);
  void OnNoInitialEvents();
  void OnWatchRefused(const ApiAnswer& answer);
  void OnRefused(const ApiAnswer& answer);
  void OnAbsent(const ApiAnswer& answer);
  void FinishSync();
  void BeginAgain(std::string error);
  void Fail(std::string error);
  void Enter(ReflectorState state, std::string error);

  ApiClient& client_;
  EventLoop& loop_;
  const Resource resource_;
  ReflectorSink& sink_;
  Random random_;
  const ReflectorOptions options_;

  HeldObjects held_;
  ReflectorStatus status_;
  bool has_synced_ = false;
  bool watch_list_;         // the server has it, as far as is known
  bool initial_ = false;    // a WatchList that is still telling what there is
  bool streaming_ = false;  // the watch was answered 200
  size_t page_max_;
  std::string resource_version_;  // of the last list, event or bookmark
  int watch_faults_ = 0;          // watches in a row that the server ended by an error
  int absences_ = 0;              // answers 404 in a row
  int unfinished_ = 0;            // tries to read the whole since it was read
  TimePoint watch_began_{};
  Backoff backoff_;
  Step step_ = Step::kSync;
  std::unique_ptr<ApiCall> call_;
  Timer timer_;
  Timer initial_timer_;
};

}  // namespace gw::kube
