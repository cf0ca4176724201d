#include "api/parse.h"

#include <algorithm>
#include <array>
#include <optional>

#include "api/kinds.h"
#include "api/names.h"

namespace gw::api {
namespace {

template <class T>
ObjectKey KeyOf(const T& object) {
  return object.meta.key();
}
std::string KeyOf(const GatewayClass& object) { return object.meta.name; }
std::string KeyOf(const Namespace& object) { return object.meta.name; }
GroupKey KeyOf(const InferencePool& object) { return object.group_key(); }
GroupKey KeyOf(const InferenceObjective& object) {
  return {object.group, object.meta.ns, object.meta.name};
}
GroupKey KeyOf(const InferenceModelRewrite& object) {
  return {object.group, object.meta.ns, object.meta.name};
}

// Reads one object and puts it into its map, unless it has errors.
template <auto Read, auto Member>
void ReadIntoSet(ObjectInput& in, ResourceSet* set) {
  auto object = Read(in);
  in.top.Finish();
  if (in.problems.empty()) {
    auto key = KeyOf(object);
    (set->*Member).emplace(std::move(key), std::move(object));
  }
}

bool SameInAnyCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

// Kinds of our groups that Penstock does not read; they are skipped like those of other groups.
struct ForeignKind {
  std::string_view group;
  std::string_view kind;
};
constexpr ForeignKind kForeignKinds[] = {
    {kGatewayGroup, "GRPCRoute"},
    {kGatewayGroup, "TLSRoute"},
    {kGatewayGroup, "TCPRoute"},
    {kGatewayGroup, "UDPRoute"},
    {kGatewayGroup, "BackendTLSPolicy"},
    {kGatewayGroup, "BackendLBPolicy"},
    {kGatewayGroup, "ListenerSet"},
    {kGatewayGroup, "XListenerSet"},
    {kInferenceGroup, "InferencePoolImport"},
    {kInferenceXGroup, "InferencePoolImport"},
    {kInferenceXGroup, "EndpointPickerConfig"},
    {kTrafficPolicyGroup, "ACKTrafficFilter"},
};

// Groups in which every kind is known, so that an unknown one is a mistake.
bool OwnGroup(std::string_view group) {
  return group == kGatewayGroup || group == kInferenceGroup || group == kInferenceXGroup ||
         group == kTrafficPolicyGroup || group == kPenstockGroup;
}

const std::string* ScalarText(const Node& document, std::string_view field) {
  const Node* node = document.Find(field);
  return node != nullptr && node->kind == Node::Kind::kScalar ? &node->text : nullptr;
}

const std::string* MetaText(const Node& document, std::string_view field) {
  const Node* metadata = document.Find("metadata");
  return metadata != nullptr ? ScalarText(*metadata, field) : nullptr;
}

// The name of an object that may break every rule, so that its errors can be told from others'.
ObjectRef NameAsWritten(const Node& document, const SourceRef& source) {
  ObjectRef ref;
  if (const std::string* api_version = ScalarText(document, "apiVersion")) {
    const size_t slash = api_version->find('/');
    ref.version = slash == std::string::npos ? *api_version : api_version->substr(slash + 1);
    if (slash != std::string::npos) ref.group = api_version->substr(0, slash);
  }
  if (const std::string* kind = ScalarText(document, "kind")) ref.kind = *kind;
  if (const std::string* name = MetaText(document, "name")) ref.name = *name;
  if (const std::string* ns = MetaText(document, "namespace")) ref.ns = *ns;
  if (ref.name.empty()) ref.name = "(" + source.ToString() + ")";
  return ref;
}

// Whether what says which kind an object is, is text: `kind: 3` is not the kind "3".
std::vector<std::string> TypeErrors(const Node& document, const SourceRef& source) {
  Problems problems(source.file);
  for (const char* field : {"apiVersion", "kind"}) {
    const Node* node = document.Find(field);
    if (node == nullptr || node->kind == Node::Kind::kNull) continue;  // required, as said later
    Value(node, field, node->line, &problems).Text(1, 1024);
  }
  return problems.Take();
}

}  // namespace

struct Parser::Kind {
  std::string_view group;
  std::array<std::string_view, 2> versions;  // the first is what messages name
  std::string_view kind;
  bool namespaced;
  void (*read)(ObjectInput& in, ResourceSet* set);
};

const Parser::Kind* Parser::FindKind(const std::string& group, const std::string& kind) {
  using Set = ResourceSet;
  static constexpr std::array<std::string_view, 2> kGatewayVersions = {"v1", "v1beta1"};
  static constexpr std::array<std::string_view, 2> kV1 = {"v1", "v1"};
  static constexpr std::array<std::string_view, 2> kAlpha1 = {"v1alpha1", "v1alpha1"};
  static constexpr std::array<std::string_view, 2> kAlpha2 = {"v1alpha2", "v1alpha2"};
  static constexpr Kind kKinds[] = {
      {kGatewayGroup, kGatewayVersions, "GatewayClass", false,
       ReadIntoSet<ReadGatewayClass, &Set::gateway_classes>},
      {kGatewayGroup, kGatewayVersions, "Gateway", true, ReadIntoSet<ReadGateway, &Set::gateways>},
      {kGatewayGroup, kGatewayVersions, "HTTPRoute", true,
       ReadIntoSet<ReadHttpRoute, &Set::http_routes>},
      {kGatewayGroup, kGatewayVersions, "ReferenceGrant", true,
       ReadIntoSet<ReadReferenceGrant, &Set::reference_grants>},
      {kInferenceGroup, kV1, "InferencePool", true,
       ReadIntoSet<ReadInferencePool, &Set::inference_pools>},
      {kInferenceXGroup, kAlpha2, "InferencePool", true,
       ReadIntoSet<ReadInferencePool, &Set::inference_pools>},
      {kInferenceXGroup, kAlpha2, "InferenceModel", true,
       ReadIntoSet<ReadInferenceModel, &Set::inference_models>},
      {kInferenceXGroup, kAlpha2, "InferenceObjective", true,
       ReadIntoSet<ReadInferenceObjective, &Set::inference_objectives>},
      {kLlmdGroup, kAlpha2, "InferenceObjective", true,
       ReadIntoSet<ReadInferenceObjective, &Set::inference_objectives>},
      {kInferenceXGroup, kAlpha2, "InferenceModelRewrite", true,
       ReadIntoSet<ReadInferenceModelRewrite, &Set::inference_model_rewrites>},
      {kLlmdGroup, kAlpha2, "InferenceModelRewrite", true,
       ReadIntoSet<ReadInferenceModelRewrite, &Set::inference_model_rewrites>},
      {kTrafficPolicyGroup, kAlpha1, "InferenceTrafficPolicy", true,
       ReadIntoSet<ReadInferenceTrafficPolicy, &Set::traffic_policies>},
      {"", kV1, "Service", true, ReadIntoSet<ReadService, &Set::services>},
      {"discovery.k8s.io", kV1, "EndpointSlice", true,
       ReadIntoSet<ReadEndpointSlice, &Set::endpoint_slices>},
      {"", kV1, "Pod", true, ReadIntoSet<ReadPod, &Set::pods>},
      {"", kV1, "Secret", true, ReadIntoSet<ReadSecret, &Set::secrets>},
      {"", kV1, "Namespace", false, ReadIntoSet<ReadNamespace, &Set::namespaces>},
  };
  for (const Kind& known : kKinds) {
    if (known.group == group && SameInAnyCase(known.kind, kind)) return &known;
  }
  return nullptr;
}

void Parser::Add(const Node& document, const std::string& file) {
  if (document.kind == Node::Kind::kNull) return;
  const SourceRef source{file, document.line};
  if (!document.is_map()) {
    Problems problems(file);
    problems.Add("",
                 "must be an object (a map with apiVersion and kind), got " + Describe(document),
                 document.line);
    Refuse(NameAsWritten(document, source), source, problems.Take());
    return;
  }
  const std::string* api_version = ScalarText(document, "apiVersion");
  const std::string* kind = ScalarText(document, "kind");
  if (kind != nullptr && *kind == "List" && api_version != nullptr && *api_version == "v1") {
    AddList(document, file);
  } else {
    AddObject(document, source);
  }
}

void Parser::AddList(const Node& list, const std::string& file) {
  const Node* items = list.Find("items");
  if (items == nullptr || items->kind == Node::Kind::kNull) return;
  const SourceRef source{file, list.line};
  if (!items->is_list()) {
    Problems problems(file);
    problems.Add("items", "must be a list, got " + Describe(*items), items->line);
    Refuse(NameAsWritten(list, source), source, problems.Take());
    return;
  }
  // A List within a List is none of Kubernetes', so the items are objects.
  for (const Node& item : items->items) AddObject(item, {file, item.line});
}

void Parser::AddObject(const Node& document, const SourceRef& source) {
  ObjectRef ref = NameAsWritten(document, source);
  if (std::vector<std::string> errors = TypeErrors(document, source); !errors.empty()) {
    Refuse(std::move(ref), source, std::move(errors));
    return;
  }
  const Kind* kind = FindKind(ref.group, ref.kind);
  if (kind == nullptr) {
    AddUnknown(document, ref, source);
    return;
  }
  Problems problems(source.file);
  if (ref.kind != kind->kind) {
    problems.Add("kind", "must be " + std::string(kind->kind) + ", got " + Quoted(ref.kind),
                 source.line);
  }
  if (std::find(kind->versions.begin(), kind->versions.end(), ref.version) ==
      kind->versions.end()) {
    std::string wanted =
        ObjectRef{ref.group, std::string(kind->versions[0]), "", "", ""}.ApiVersion();
    if (kind->versions[1] != kind->versions[0]) wanted.append(" or ").append(kind->versions[1]);
    problems.Add("apiVersion", "must be " + wanted + ", got " + Quoted(ref.ApiVersion()),
                 source.line);
  }
  ref.kind = std::string(kind->kind);
  ref.ns = !kind->namespaced ? "" : ref.ns.empty() ? "default" : ref.ns;
  if (!problems.empty()) {
    Refuse(std::move(ref), source, problems.Take());
    return;
  }
  if (!Claim(ref, source)) return;
  int64_t generation = 1;
  {
    MapReader top(&document, "", source.line, &problems);
    top.Ignore({"apiVersion", "kind", "status"});
    ObjectMeta meta = ReadMeta(top.Require("metadata"), kind->namespaced, source);
    generation = meta.generation;
    ObjectInput in{top, std::move(meta), ref.group, ref.version, problems};
    kind->read(in, &set_);
  }
  if (!problems.empty()) Refuse(std::move(ref), source, problems.Take(), generation);
}

void Parser::AddUnknown(const Node& document, const ObjectRef& ref, const SourceRef& source) {
  Problems problems(source.file);
  if (!document.is_map()) {
    problems.Add("",
                 "must be an object (a map with apiVersion and kind), got " + Describe(document),
                 source.line);
  } else {
    if (ref.version.empty()) problems.Add("apiVersion", "is required", source.line);
    if (ref.kind.empty()) problems.Add("kind", "is required", source.line);
  }
  const bool foreign = std::any_of(
      std::begin(kForeignKinds), std::end(kForeignKinds),
      [&](const ForeignKind& known) { return known.group == ref.group && known.kind == ref.kind; });
  if (problems.empty() && OwnGroup(ref.group) && !foreign) {
    problems.Add("kind", "there is no kind " + Quoted(ref.kind) + " in " + ref.group, source.line);
  }
  if (problems.empty() && ref.group.empty()) {
    for (const char* group :
         {kGatewayGroup, kInferenceGroup, kInferenceXGroup, kTrafficPolicyGroup}) {
      const Kind* meant = FindKind(group, ref.kind);
      if (meant == nullptr) continue;
      problems.Add("apiVersion",
                   "must be " + std::string(group) + "/" + std::string(meant->versions[0]) +
                       " for kind " + std::string(meant->kind) + ", got " +
                       Quoted(ref.ApiVersion()),
                   source.line);
      break;
    }
  }
  if (!problems.empty()) {
    Refuse(ref, source, problems.Take());
    return;
  }
  ++set_.skipped[ref.ApiVersion() + " " + ref.kind];
}

void Parser::Refuse(ObjectRef ref, const SourceRef& source, std::vector<std::string> errors,
                    int64_t generation) {
  InvalidObject invalid;
  invalid.ref = std::move(ref);
  invalid.generation = generation;
  invalid.source = source;
  invalid.errors = std::move(errors);
  set_.invalid.push_back(std::move(invalid));
}

bool Parser::Claim(const ObjectRef& ref, const SourceRef& source) {
  const std::string here = source.ToString();
  const auto [entry, first] =
      claimed_.emplace(std::make_tuple(ref.kind, ref.group, ref.ns, ref.name), here);
  if (first) return true;
  Problems problems(source.file);
  std::string message = "another " + ref.ToString() + " is defined";
  if (!entry->second.empty()) message += " at " + entry->second;
  problems.Add("metadata.name", message, source.line);
  Refuse(ref, source, problems.Take());
  return false;
}

ResourceSet Parser::Take() { return std::move(set_); }

}  // namespace gw::api
