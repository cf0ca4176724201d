#include "config/file/last_good.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/names.h"

namespace gw::config {
namespace {

using api::ObjectId;
using api::ParsedObject;

std::string Joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : "; ") + part;
  return out;
}

// Whether the file is the place itself or stands below it.
bool IsWithin(std::string_view file, std::string_view place) {
  while (place.size() > 1 && place.ends_with('/')) place.remove_suffix(1);
  if (!file.starts_with(place)) return false;
  return file.size() == place.size() || place.ends_with('/') || file[place.size()] == '/';
}

// Whether the broken object, whose name is not that of any, may be the one that is gone: what of
// its name can be read is the same, and some of it cannot be read.
bool MayBe(const ParsedObject& broken, const ObjectId& gone) {
  if (broken.hides) return true;
  const bool named = api::IsDnsSubdomain(broken.ref.name);
  const bool ns_known = broken.ref.ns.empty() || api::IsDnsLabel(broken.ref.ns);
  if (broken.kind_known && named && ns_known) return false;
  if (broken.kind_known && (broken.ref.kind != gone.kind || broken.ref.group != gone.group)) {
    return false;
  }
  if (named && broken.ref.name != gone.name) return false;
  const std::string ns = broken.ref.ns.empty() ? "default" : broken.ref.ns;
  return !ns_known || gone.ns.empty() || ns == gone.ns;
}

api::InvalidObject InvalidOf(const ParsedObject& broken) {
  return {broken.ref, broken.generation, broken.source, broken.errors, broken.targets};
}

api::InvalidObject SecondOf(const ParsedObject& second, const ParsedObject& first) {
  std::string error = "metadata.name: another " + first.ref.ToString() + " is defined";
  const std::string there = first.source.ToString();
  if (!there.empty()) error += " at " + there;
  if (second.source.file != first.source.file) {
    error += ", which is served; to leave a file out, begin its name with \".\"";
  }
  const std::string here = second.source.ToString();
  if (!here.empty()) error += " (" + here + ")";
  return {second.ref, second.generation, second.source, {error}};
}

}  // namespace

// One Merge.
class LastGood::Merger {
 public:
  Merger(ServedObjects* served, const LoadResult& loaded, int64_t now)
      : served_(*served), loaded_(loaded), now_(now) {}

  Change Run();

 private:
  using Candidates = std::vector<const ParsedObject*>;
  using Served = ServedObjects::Served;

  void FindLostFiles();
  void Lose(const std::string& file, const std::string& message);
  // Chooses among all that have this name.
  void Choose(const ObjectId& id, const Candidates& candidates);
  void Take(const ParsedObject& chosen) { served_.Take(chosen, now_); }
  void Keep(const ObjectId& id, std::string why, bool source_lost) {
    served_.Keep(id, std::move(why), source_lost, now_);
  }
  void Refuse(const ParsedObject& broken) { refused_.push_back(&broken); }
  // Of one that nothing has the name of.
  bool KeepIfLostOrBroken(const ObjectId& id, const Served& was);
  Remarks TakeRemarks();

  ServedObjects& served_;
  const LoadResult& loaded_;
  const int64_t now_;
  std::map<std::string, std::string> lost_;  // files that served objects and cannot be read -> why
  std::map<ObjectId, Candidates> candidates_;
  std::vector<ObjectId> gone_;
  std::vector<const ParsedObject*> refused_;
  std::vector<std::pair<const ParsedObject*, api::InvalidObject>> invalid_;
  std::vector<std::string> errors_;
};

Change LastGood::Merger::Run() {
  FindLostFiles();
  for (const ParsedObject& object : loaded_.parsed.objects) {
    candidates_[object.id()].push_back(&object);
  }
  for (const auto& [id, candidates] : candidates_) Choose(id, candidates);
  for (const auto& [id, was] : served_.objects()) {
    if (!candidates_.contains(id) && !KeepIfLostOrBroken(id, was)) gone_.push_back(id);
  }
  for (const ObjectId& id : gone_) served_.Remove(id);
  Change change = served_.TakeChange();
  change.remarks = std::make_shared<Remarks>(TakeRemarks());
  for (const NamedFileLimit& limit : kFileLimits) {
    const auto times = std::count(loaded_.limits.begin(), loaded_.limits.end(), limit.name);
    change.limits.insert(change.limits.end(), static_cast<size_t>(times), limit.name);
  }
  return change;
}

Remarks LastGood::Merger::TakeRemarks() {
  Remarks remarks;
  for (const ParsedObject* broken : refused_) invalid_.emplace_back(broken, InvalidOf(*broken));
  // In the order of reading.
  std::sort(invalid_.begin(), invalid_.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  for (auto& [read, invalid] : invalid_) remarks.invalid.push_back(std::move(invalid));
  remarks.stale = served_.Stale();
  remarks.skipped = loaded_.parsed.skipped;
  remarks.errors = std::move(errors_);
  return remarks;
}

void LastGood::Merger::Lose(const std::string& file, const std::string& message) {
  if (!lost_.emplace(file, message).second) return;
  if (std::find(errors_.begin(), errors_.end(), message) == errors_.end()) {
    errors_.push_back(message);
  }
}

void LastGood::Merger::FindLostFiles() {
  for (const SourceError& error : loaded_.errors) errors_.push_back(error.message);
  const std::set<std::string> read(loaded_.files.begin(), loaded_.files.end());
  const std::set<std::string> empty(loaded_.empty.begin(), loaded_.empty.end());
  const std::set<std::string> folders(loaded_.folders.begin(), loaded_.folders.end());
  const std::set<std::string> named(loaded_.paths.begin(), loaded_.paths.end());
  std::set<std::string> known;
  for (const auto& [id, was] : served_.objects()) known.insert(was.version.source.file);
  for (const std::string& file : known) {
    if (read.contains(file)) {
      if (empty.contains(file)) {
        Lose(file, file + ": is empty: its objects stay until it has objects again or is removed");
      }
      continue;
    }
    for (const SourceError& error : loaded_.errors) {
      if (IsWithin(file, error.place) || error.place.empty()) Lose(file, error.message);
    }
    if (folders.contains(file)) {
      Lose(file, file + ": is a folder now: the objects of the file stay until it is a file again");
    } else if (named.contains(file)) {
      Lose(file, file + ": cannot be read");
    }
  }
}

void LastGood::Merger::Choose(const ObjectId& id, const Candidates& candidates) {
  const Served* was = served_.Find(id);
  const ParsedObject* chosen = nullptr;  // who has the name, broken or not
  const bool lost = was != nullptr && lost_.contains(was->version.source.file);
  if (was != nullptr && !lost) {
    // Whole ones first: the file may hold it twice.
    for (const bool whole : {true, false}) {
      for (const ParsedObject* candidate : candidates) {
        if (chosen != nullptr || candidate->source.file != was->version.source.file) continue;
        if ((candidate->object != nullptr) == whole) chosen = candidate;
      }
    }
  }
  for (const ParsedObject* candidate : candidates) {
    const bool claims = candidate->object != nullptr || candidate->claims;
    if (chosen == nullptr && !lost && claims) chosen = candidate;
  }
  if (lost) {
    Keep(id, lost_.at(was->version.source.file), true);
  } else if (chosen != nullptr && chosen->object != nullptr) {
    Take(*chosen);
  } else if (was != nullptr && was->good) {
    // Broken: the one with the name, or all, as none of them says which one it is.
    if (chosen == nullptr) chosen = candidates.front();
    Keep(id, Joined(chosen->errors), false);
  } else {
    if (chosen != nullptr) Refuse(*chosen);
    if (was != nullptr) gone_.push_back(id);
  }
  const ParsedObject& first = lost                ? was->version
                              : chosen != nullptr ? *chosen
                                                  : *candidates.front();
  for (const ParsedObject* candidate : candidates) {
    if (candidate == chosen) continue;
    if (candidate->object == nullptr && !candidate->claims) {
      Refuse(*candidate);
    } else {
      invalid_.emplace_back(candidate, SecondOf(*candidate, first));
    }
  }
}

bool LastGood::Merger::KeepIfLostOrBroken(const ObjectId& id, const Served& was) {
  const auto lost = lost_.find(was.version.source.file);
  if (lost != lost_.end()) {
    Keep(id, lost->second, true);
    return true;
  }
  if (!was.good) return false;
  for (const ParsedObject& broken : loaded_.parsed.objects) {
    if (broken.object != nullptr || broken.source.file != was.version.source.file) continue;
    if (!MayBe(broken, id)) continue;
    Keep(id,
         "it may be what is refused at " + broken.source.ToString() + ": " + Joined(broken.errors),
         false);
    return true;
  }
  return false;
}

Change LastGood::Merge(const LoadResult& loaded, int64_t now_unix_s) {
  return Merger(&served_, loaded, now_unix_s).Run();
}

api::ResourceSet ResourcesOf(const LoadResult& loaded) {
  api::ResourceSet resources;
  Apply(LastGood().Merge(loaded, 0), &resources);
  return resources;
}

}  // namespace gw::config
