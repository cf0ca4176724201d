#include "server/configuration_page.h"

#include <optional>
#include <string>

#include "absl/strings/numbers.h"
#include "base/escape.h"
#include "http/url.h"
#include "server/document.h"

namespace gw {
namespace {

template <typename Objects>
void AppendTexts(const Objects& objects, std::string* page) {
  for (const auto& [key, object] : objects) {
    const api::ObjectMeta& meta = object.meta;
    if (meta.written.yaml == nullptr) continue;
    *page += "---\n";
    if (const std::string source = meta.source.ToString(); !source.empty()) {
      *page += "# " + Printable(source) + "\n";
    }
    *page += *meta.written.yaml;
  }
}

std::string AllTexts(const api::ResourceSet& resources) {
  std::string page;
  AppendTexts(resources.gateway_classes, &page);
  AppendTexts(resources.gateways, &page);
  AppendTexts(resources.http_routes, &page);
  AppendTexts(resources.reference_grants, &page);
  AppendTexts(resources.inference_pools, &page);
  AppendTexts(resources.inference_models, &page);
  AppendTexts(resources.inference_objectives, &page);
  AppendTexts(resources.inference_model_rewrites, &page);
  AppendTexts(resources.traffic_policies, &page);
  AppendTexts(resources.backends, &page);
  AppendTexts(resources.backend_tls_policies, &page);
  AppendTexts(resources.model_releases, &page);
  return page;
}

Document TextOrNull(const std::shared_ptr<const std::string>& text) {
  return text == nullptr ? Document() : Document(*text);
}

Document ChangeDocument(const ConfigHistory::Entry& entry) {
  Document objects = Document::List();
  for (const ConfigHistory::ChangedObject& changed : entry.objects) {
    objects.Add(Document::Map()
                    .Set("object", changed.name)
                    .Set("before", TextOrNull(changed.before))
                    .Set("after", TextOrNull(changed.after))
                    .Set("shown", changed.shown));
  }
  const size_t all = entry.added + entry.changed + entry.removed;
  return Document::Map()
      .Set("generation", entry.generation)
      .Set("changed_at", entry.changed_at_unix_ms)
      .Set("left_out", uint64_t{all - entry.objects.size()})
      .Set("objects", std::move(objects));
}

}  // namespace

AdminResponse AnswerConfiguration(const AdminSources& sources, std::string_view query) {
  const std::optional<std::string> wanted = http::QueryParam(query, "generation");
  if (!wanted) {
    return {.content_type = "application/yaml; charset=utf-8",
            .body = AllTexts(*sources.configurator.resources())};
  }
  uint64_t generation = 0;
  if (!absl::SimpleAtoi(*wanted, &generation)) {
    return {.status = 400,
            .body = "error: generation: must be a number, got \"" + Printable(*wanted) + "\"\n"};
  }
  const auto entry = sources.configurator.history().Find(generation);
  if (!entry) {
    return {.status = 404,
            .body = "error: nothing is known of configuration " + std::to_string(generation) +
                    ": it has changed no object, or is older than the last " +
                    std::to_string(ConfigHistory::kEntriesMax) + " that have\n"};
  }
  return {.content_type = "application/json",
          .body = ChangeDocument(*entry).ToCompactJson() + "\n"};
}

}  // namespace gw
