#include "config/file/last_good.h"

#include <algorithm>
#include <utility>

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
  return {broken.ref, broken.generation, broken.source, broken.errors};
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
  Merger(const Judge& judge, const ServedObjects& before, const LoadResult& loaded, int64_t now)
      : judge_(judge), before_(before), loaded_(loaded), now_(now) {}

  Change Run(ServedObjects* after);

 private:
  using Candidates = std::vector<const ParsedObject*>;

  void FindLostFiles();
  void Compare();  // with what was served before
  void Lose(const std::string& file, const std::string& message);
  // Chooses among all that have this name. `was` is what is served, or null.
  void Choose(const ObjectId& id, const Candidates& candidates, const Served* was);
  void Take(const ObjectId& id, const ParsedObject& chosen, const Served* was);
  // Goes on serving `was`.
  void Keep(const ObjectId& id, const Served& was, std::string why, bool source_lost);
  void Refuse(const ParsedObject& broken) { refused_.push_back(&broken); }
  void KeepWhatMayBeBroken(const ObjectId& id, const Served& was);

  const Judge& judge_;
  const ServedObjects& before_;
  const LoadResult& loaded_;
  const int64_t now_;
  std::map<std::string, std::string> lost_;  // files that served objects and cannot be read -> why
  std::map<ObjectId, Candidates> candidates_;
  std::vector<const ParsedObject*> refused_;
  std::vector<std::pair<const ParsedObject*, api::InvalidObject>> invalid_;
  Remarks remarks_;
  Change change_;
  ServedObjects after_;
};

Change LastGood::Merger::Run(ServedObjects* after) {
  FindLostFiles();
  for (const ParsedObject& object : loaded_.parsed.objects) {
    candidates_[object.id()].push_back(&object);
  }
  for (const auto& [id, candidates] : candidates_) {
    const auto was = before_.find(id);
    Choose(id, candidates, was == before_.end() ? nullptr : &was->second);
  }
  for (const auto& [id, was] : before_) {
    if (after_.contains(id) || candidates_.contains(id)) continue;
    const auto lost = lost_.find(was.version.source.file);
    if (lost != lost_.end()) {
      Keep(id, was, lost->second, true);
    } else {
      KeepWhatMayBeBroken(id, was);
    }
  }
  Compare();
  for (const ParsedObject* broken : refused_) invalid_.emplace_back(broken, InvalidOf(*broken));
  // In the order of reading.
  std::sort(invalid_.begin(), invalid_.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  for (auto& [read, invalid] : invalid_) remarks_.invalid.push_back(std::move(invalid));
  remarks_.skipped = loaded_.parsed.skipped;
  change_.remarks = std::make_shared<Remarks>(std::move(remarks_));
  for (const NamedFileLimit& limit : kFileLimits) {
    const auto times = std::count(loaded_.limits.begin(), loaded_.limits.end(), limit.name);
    change_.limits.insert(change_.limits.end(), static_cast<size_t>(times), limit.name);
  }
  *after = std::move(after_);
  return std::move(change_);
}

// Every load makes all objects anew, most of them as they were.
void LastGood::Merger::Compare() {
  for (auto& [id, served] : after_) {
    if (served.stale) remarks_.stale.push_back(*served.stale);
    const auto was = before_.find(id);
    std::shared_ptr<const api::Object>& object = served.version.object;
    const auto object_before = was == before_.end() ? nullptr : was->second.version.object;
    if (object_before != nullptr && *object_before == *object) {
      object = object_before;
    } else {
      change_.objects.push_back({object_before, object});
    }
  }
  for (const auto& [id, was] : before_) {
    if (!after_.contains(id)) change_.objects.push_back({was.version.object, nullptr});
  }
}

void LastGood::Merger::Lose(const std::string& file, const std::string& message) {
  if (!lost_.emplace(file, message).second) return;
  std::vector<std::string>& errors = remarks_.errors;
  if (std::find(errors.begin(), errors.end(), message) == errors.end()) errors.push_back(message);
}

void LastGood::Merger::FindLostFiles() {
  for (const SourceError& error : loaded_.errors) remarks_.errors.push_back(error.message);
  const std::set<std::string> read(loaded_.files.begin(), loaded_.files.end());
  const std::set<std::string> empty(loaded_.empty.begin(), loaded_.empty.end());
  const std::set<std::string> folders(loaded_.folders.begin(), loaded_.folders.end());
  const std::set<std::string> named(loaded_.paths.begin(), loaded_.paths.end());
  std::set<std::string> known;
  for (const auto& [id, was] : before_) known.insert(was.version.source.file);
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

void LastGood::Merger::Choose(const ObjectId& id, const Candidates& candidates, const Served* was) {
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
    Keep(id, *was, lost_.at(was->version.source.file), true);
  } else if (chosen != nullptr && chosen->object != nullptr) {
    Take(id, *chosen, was);
  } else if (was != nullptr && was->good) {
    // Broken: the one with the name, or all, as none of them says which one it is.
    if (chosen == nullptr) chosen = candidates.front();
    Keep(id, *was, Joined(chosen->errors), false);
  } else if (chosen != nullptr) {
    Refuse(*chosen);
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

void LastGood::Merger::Take(const ObjectId& id, const ParsedObject& chosen, const Served* was) {
  const std::string against = judge_ ? judge_(*chosen.object) : "";
  if (!against.empty() && was != nullptr && was->good) {
    const std::string here = chosen.source.ToString();
    Keep(id, *was, here.empty() ? against : against + " (" + here + ")", false);
    return;
  }
  if (was != nullptr && was->stale) change_.recovered.push_back(chosen.ref);
  after_[id] = {chosen, against.empty(), std::nullopt};
}

void LastGood::Merger::Keep(const ObjectId& id, const Served& was, std::string why,
                            bool source_lost) {
  Served& kept = after_[id] = was;
  const bool known = was.stale && was.stale->why == why;
  const int64_t since = was.stale ? was.stale->since_unix_s : now_;
  kept.stale = api::StaleObject{was.version.ref, was.version.generation, was.version.source,
                                since,           std::move(why),         source_lost};
  if (!known) change_.news.push_back(*kept.stale);
}

void LastGood::Merger::KeepWhatMayBeBroken(const ObjectId& id, const Served& was) {
  if (!was.good) return;
  for (const ParsedObject& broken : loaded_.parsed.objects) {
    if (broken.object != nullptr || broken.source.file != was.version.source.file) continue;
    if (!MayBe(broken, id)) continue;
    Keep(id, was,
         "it may be what is refused at " + broken.source.ToString() + ": " + Joined(broken.errors),
         false);
    return;
  }
}

Change LastGood::Merge(const LoadResult& loaded, int64_t now_unix_s) {
  return Merger(judge_, served_, loaded, now_unix_s).Run(&served_);
}

api::ResourceSet ResourcesOf(const LoadResult& loaded) {
  api::ResourceSet resources;
  Apply(LastGood().Merge(loaded, 0), &resources);
  return resources;
}

}  // namespace gw::config
