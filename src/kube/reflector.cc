#include "kube/reflector.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/escape.h"
#include "base/log.h"

namespace gw::kube {
namespace {

// After so many watches in a row that the server ended by an error, the version they begin at is in
// doubt: one of after a restored backup, say, is from the future, and no watch begins there.
constexpr int kWatchFaultsMax = 3;

// Wholes in a row that could not be read to their end (a list grew too old meanwhile, a stream
// broke): one is no trouble yet.
constexpr int kUnfinishedMax = 3;

bool MayBeOverload(int status) { return status == 429 || status >= 500; }

}  // namespace

std::string_view NameOf(ReflectorState state) {
  switch (state) {
    case ReflectorState::kSyncing:
      return "syncing";
    case ReflectorState::kSynced:
      return "synced";
    case ReflectorState::kAbsent:
      return "absent";
    case ReflectorState::kForbidden:
      return "forbidden";
    case ReflectorState::kUnreachable:
      return "unreachable";
  }
  return "";
}

Reflector::Reflector(ApiClient& client, Resource resource, ReflectorSink& sink, Random random,
                     const ReflectorOptions& options)
    : client_(client),
      loop_(client.loop()),
      resource_(std::move(resource)),
      sink_(sink),
      random_(random),
      options_(options),
      held_(options.objects_max),
      watch_list_(options.watch_list),
      page_max_(options.page_max),
      timer_(loop_, [this] { step_ == Step::kSync ? Sync() : Watch(); }),
      initial_timer_(loop_, [this] { OnNoInitialEvents(); }) {
  status_.since = loop_.now();
  Later(Step::kSync, Duration(0));
}

void Reflector::Later(Step step, Duration after) {
  step_ = step;
  timer_.Start(after);
}

void Reflector::Sync() {
  held_.BeginList();
  if (!watch_list_) return AskPage("");
  initial_ = true;
  resource_version_.clear();
  Watch();
}

void Reflector::AskPage(const std::string& token) {
  call_ = client_.Send({.target = ListTarget(resource_, page_max_, token)},
                       [this, token](const ApiAnswer& answer) { OnPage(token, answer); });
}

void Reflector::OnPage(const std::string& token, const ApiAnswer& answer) {
  if (answer.failure == ApiFailure::kTooLarge && page_max_ > 1) {
    page_max_ /= 2;
    return AskPage(token);
  }
  if (!answer.ok()) return OnRefused(answer);
  absl::StatusOr<ListPage> page = ReadListPage(answer.body, resource_);
  if (!page.ok()) return Fail(std::string(page.status().message()));
  if (!token.empty() && page->next_token == token) {
    return Fail("a page of the list names itself as the next one");
  }
  for (ApiObject& object : page->objects) {
    if (!Tell(std::move(object))) return;
  }
  if (!page->next_token.empty()) return AskPage(page->next_token);
  resource_version_ = std::move(page->resource_version);
  FinishSync();
  Watch();
}

// False if it was one too many, which ends what is under way.
bool Reflector::Tell(ApiObject object) {
  switch (held_.Take(object)) {
    case HeldObjects::Outcome::kNews:
      sink_.OnChanged(std::move(object));
      return true;
    case HeldObjects::Outcome::kSame:
      return true;
    case HeldObjects::Outcome::kTooMany:
      break;
  }
  EndWatch();
  Fail(absl::StrCat("there are more than ", options_.objects_max, " objects (limit kube_objects)"));
  return false;
}

void Reflector::FinishSync() {
  for (const api::ObjectKey& key : held_.EndList()) sink_.OnDeleted(key);
  absences_ = 0;
  unfinished_ = 0;
  watch_faults_ = 0;
  has_synced_ = true;
  Enter(ReflectorState::kSynced, "");
}

void Reflector::Watch() {
  const int spread_s = options_.watch_max_s - options_.watch_min_s;
  const int timeout_s =
      options_.watch_min_s + static_cast<int>(random_.Below(static_cast<uint64_t>(spread_s) + 1));
  streaming_ = false;
  call_ = client_.Watch(WatchTarget(resource_, resource_version_, timeout_s),
                        std::chrono::seconds(timeout_s) + options_.watch_slack, this);
}

void Reflector::OnStreamStart() {
  streaming_ = true;
  watch_began_ = loop_.now();
  if (initial_) return initial_timer_.Start(options_.initial_events_max);
  absences_ = 0;
  Enter(ReflectorState::kSynced, "");
}

void Reflector::EndWatch() {
  call_.reset();
  initial_timer_.Stop();
  if (streaming_ && loop_.now() - watch_began_ >= options_.steady_watch_min) {
    backoff_.Reset();
    watch_faults_ = 0;
  }
  streaming_ = false;
}

void Reflector::OnLine(std::string_view line) {
  absl::StatusOr<WatchEvent> event = ReadWatchEvent(line, resource_);
  if (!event.ok()) return OnBrokenWatch(std::string(event.status().message()));
  OnEvent(*std::move(event));
}

void Reflector::OnEvent(WatchEvent event) {
  if (event.type != WatchEvent::Type::kError) resource_version_ = event.object.resource_version;
  switch (event.type) {
    case WatchEvent::Type::kAdded:
    case WatchEvent::Type::kModified:
      Tell(std::move(event.object));
      return;
    case WatchEvent::Type::kDeleted:
      if (held_.Drop(event.object.key)) sink_.OnDeleted(event.object.key);
      return;
    case WatchEvent::Type::kBookmark:
      if (!initial_ || !event.initial_events_end) return;
      initial_ = false;
      initial_timer_.Stop();
      return FinishSync();
    case WatchEvent::Type::kError:
      break;
  }
  if (event.code != 410) {
    return OnBrokenWatch(
        absl::StrCat("the watch ended with status ", event.code, ": ", Printable(event.message)));
  }
  EndWatch();
  BeginAgain(absl::StrCat("the watch ended with status 410: ", Printable(event.message)));
}

// It said something that is no event, or that it cannot go on.
void Reflector::OnBrokenWatch(const std::string& error) {
  EndWatch();
  Log(LogLevel::kWarning, "A watch of the API server broke",
      {{"resource", resource_.ToString()}, {"error", error}});
  if (initial_) return BeginAgain(error);
  Retry(++watch_faults_ >= kWatchFaultsMax ? Step::kSync : Step::kWatch);
}

void Reflector::OnNoInitialEvents() {
  EndWatch();
  watch_list_ = false;
  initial_ = false;
  Sync();
}

void Reflector::OnStreamEnd(const ApiAnswer& answer) {
  const bool was_streaming = streaming_;
  const bool was_steady = was_streaming && loop_.now() - watch_began_ >= options_.steady_watch_min;
  EndWatch();
  if (!was_streaming) return OnWatchRefused(answer);
  if (answer.failure == ApiFailure::kTooLarge) return OnBrokenWatch(answer.error);
  if (answer.failure == ApiFailure::kSilent) {
    Log(LogLevel::kWarning, "A watch of the API server was half-open",
        {{"resource", resource_.ToString()}, {"error", answer.error}});
  }
  if (initial_) return BeginAgain("a watch ended before it had told all there is");
  was_steady ? Later(Step::kWatch, Duration(0)) : Retry(Step::kWatch);
}

void Reflector::OnWatchRefused(const ApiAnswer& answer) {
  const bool is_answer = answer.failure == ApiFailure::kNone;
  if (initial_ && is_answer && (answer.status == 400 || answer.status == 422)) {
    return OnNoInitialEvents();
  }
  const bool version_in_doubt =
      is_answer && (!MayBeOverload(answer.status) || ++watch_faults_ >= kWatchFaultsMax);
  if (initial_ || version_in_doubt) return OnRefused(answer);
  Enter(ReflectorState::kUnreachable, answer.Why());
  Later(Step::kWatch, std::max(backoff_.Next(random_), answer.retry_after));
}

// Of anything but a watch that goes on from a version.
void Reflector::OnRefused(const ApiAnswer& answer) {
  const int status = answer.failure == ApiFailure::kNone ? answer.status : 0;
  if (status == 404) return OnAbsent(answer);
  absences_ = 0;
  if (status == 410) return BeginAgain(answer.Why());
  if (status == 403) {
    Enter(ReflectorState::kForbidden, answer.Why());
    return Later(Step::kSync,
                 Between(options_.slow_retry * 4 / 5, options_.slow_retry * 6 / 5, random_));
  }
  Enter(ReflectorState::kUnreachable, answer.Why());
  Later(Step::kSync, std::max(backoff_.Next(random_), answer.retry_after));
}

void Reflector::OnAbsent(const ApiAnswer& answer) {
  if (++absences_ < 2 && held_.size() > 0) return Retry(Step::kSync);
  held_.BeginList();
  for (const api::ObjectKey& key : held_.EndList()) sink_.OnDeleted(key);
  has_synced_ = true;
  backoff_.Reset();
  watch_faults_ = 0;
  Enter(ReflectorState::kAbsent, answer.Why());
  Later(Step::kSync, Between(options_.slow_retry * 4 / 5, options_.slow_retry * 6 / 5, random_));
}

void Reflector::BeginAgain(std::string error) {
  if (++unfinished_ >= kUnfinishedMax) {
    if (initial_) watch_list_ = false;  // it may be that what stands between does not let it pass
    return Fail(std::move(error));
  }
  Retry(Step::kSync);
}

void Reflector::Fail(std::string error) {
  Enter(ReflectorState::kUnreachable, std::move(error));
  Retry(Step::kSync);
}

void Reflector::Enter(ReflectorState state, std::string error) {
  status_.error = std::move(error);
  if (state == status_.state) return;
  status_.state = state;
  status_.since = loop_.now();
  const bool is_trouble =
      state == ReflectorState::kForbidden || state == ReflectorState::kUnreachable;
  Log(is_trouble ? LogLevel::kWarning : LogLevel::kInfo, "A resource of the API server",
      {{"resource", resource_.ToString()},
       {"state", NameOf(state)},
       {"objects", static_cast<int64_t>(held_.size())},
       {"error", status_.error}});
  sink_.OnStatus(status_);
}

}  // namespace gw::kube
