#include "api/parse.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <span>

#include "api/kinds.h"
#include "api/names.h"
#include "api/unknown_fields.h"
#include "base/suggest.h"

namespace gw::api {
namespace {

template <auto Read>
Object ReadObject(ObjectInput& in) {
  return Read(in);
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
    {kGatewayGroup, "BackendLBPolicy"},
    {kGatewayGroup, "ListenerSet"},
    {kGatewayGroup, "XListenerSet"},
    {kInferenceGroup, "InferencePoolImport"},
    {kInferenceXGroup, "InferencePoolImport"},
    {kInferenceXGroup, "EndpointPickerConfig"},
    {kTrafficPolicyGroup, "ACKTrafficFilter"},
};

constexpr std::string_view kOwnGroups[] = {kGatewayGroup, kInferenceGroup,     kInferenceXGroup,
                                           kLlmdGroup,    kTrafficPolicyGroup, "discovery.k8s.io",
                                           kPenstockGroup};

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

// A map without any field that objects have: a request's body, Helm's values, a package's
// description that lies in a folder of objects.
constexpr char kNoObject[] = "none (no apiVersion, kind, metadata or spec)";
bool IsNoObject(const Node& document) {
  for (const char* field : {"apiVersion", "kind", "metadata", "spec"}) {
    if (document.Find(field) != nullptr) return false;
  }
  return true;
}

// Two objects without a "---" between them read as one that has its fields twice.
bool MayHideOthers(const Node& document) {
  if (!document.is_map()) return true;
  const auto times = [&](std::string_view name) {
    return std::count_if(document.keys.begin(), document.keys.end(),
                         [&](const Node::Key& key) { return key.name == name; });
  };
  return times("apiVersion") > 1 || times("kind") > 1 || times("metadata") > 1;
}

}  // namespace

struct Parser::Kind {
  std::string_view group;
  std::array<std::string_view, 2> versions;  // the first is what messages name
  std::string_view kind;
  bool namespaced;
  Object (*read)(ObjectInput& in);
};

std::span<const Parser::Kind> Parser::AllKinds() {
  static constexpr std::array<std::string_view, 2> kGatewayVersions = {"v1", "v1beta1"};
  static constexpr std::array<std::string_view, 2> kV1 = {"v1", "v1"};
  static constexpr std::array<std::string_view, 2> kTlsVersions = {"v1", "v1alpha3"};
  static constexpr std::array<std::string_view, 2> kAlpha1 = {"v1alpha1", "v1alpha1"};
  static constexpr std::array<std::string_view, 2> kAlpha2 = {"v1alpha2", "v1alpha2"};
  static constexpr Kind kKinds[] = {
      {kGatewayGroup, kGatewayVersions, "GatewayClass", false, ReadObject<ReadGatewayClass>},
      {kGatewayGroup, kGatewayVersions, "Gateway", true, ReadObject<ReadGateway>},
      {kGatewayGroup, kGatewayVersions, "HTTPRoute", true, ReadObject<ReadHttpRoute>},
      {kGatewayGroup, kGatewayVersions, "ReferenceGrant", true, ReadObject<ReadReferenceGrant>},
      {kGatewayGroup, kTlsVersions, "BackendTLSPolicy", true, ReadObject<ReadBackendTlsPolicy>},
      {kInferenceGroup, kV1, "InferencePool", true, ReadObject<ReadInferencePool>},
      {kInferenceXGroup, kAlpha2, "InferencePool", true, ReadObject<ReadInferencePool>},
      {kInferenceXGroup, kAlpha2, "InferenceModel", true, ReadObject<ReadInferenceModel>},
      {kInferenceXGroup, kAlpha2, "InferenceObjective", true, ReadObject<ReadInferenceObjective>},
      {kLlmdGroup, kAlpha2, "InferenceObjective", true, ReadObject<ReadInferenceObjective>},
      {kInferenceXGroup, kAlpha2, "InferenceModelRewrite", true,
       ReadObject<ReadInferenceModelRewrite>},
      {kLlmdGroup, kAlpha2, "InferenceModelRewrite", true, ReadObject<ReadInferenceModelRewrite>},
      {kTrafficPolicyGroup, kAlpha1, "InferenceTrafficPolicy", true,
       ReadObject<ReadInferenceTrafficPolicy>},
      {kPenstockGroup, kAlpha1, "Backend", true, ReadObject<ReadBackend>},
      {kPenstockGroup, kAlpha1, "ModelRelease", true, ReadObject<ReadModelRelease>},
      {"", kV1, "Service", true, ReadObject<ReadService>},
      {"discovery.k8s.io", kV1, "EndpointSlice", true, ReadObject<ReadEndpointSlice>},
      {"", kV1, "Pod", true, ReadObject<ReadPod>},
      {"", kV1, "Secret", true, ReadObject<ReadSecret>},
      {"", kV1, "ConfigMap", true, ReadObject<ReadConfigMap>},
      {"", kV1, "Namespace", false, ReadObject<ReadNamespace>},
  };
  return kKinds;
}

const Parser::Kind* Parser::FindKind(const std::string& group, const std::string& kind) {
  for (const Kind& known : AllKinds()) {
    if (known.group == group && SameInAnyCase(known.kind, kind)) return &known;
  }
  return nullptr;
}

std::vector<std::string_view> Parser::KindsOf(std::string_view group) {
  std::vector<std::string_view> kinds;
  for (const Kind& known : AllKinds()) {
    if (known.group == group) kinds.push_back(known.kind);
  }
  return kinds;
}

std::vector<std::string> Parser::KindsRead() {
  std::vector<std::string> kinds;
  for (const Kind& known : AllKinds()) {
    for (const std::string_view version : std::set(known.versions.begin(), known.versions.end())) {
      const ObjectRef ref{std::string(known.group), std::string(version), "", "", ""};
      kinds.push_back(ref.ApiVersion() + " " + std::string(known.kind));
    }
  }
  return kinds;
}

void Parser::Add(const Node& document, const std::string& file) {
  if (document.kind == Node::Kind::kNull) return;
  const SourceRef source{file, document.line};
  if (!document.is_map()) {
    Problems problems(file);
    problems.Add("",
                 "must be an object (a map with apiVersion and kind), got " + Describe(document),
                 document.line);
    Refuse(document, NameAsWritten(document, source), source, problems.Take());
    return;
  }
  const std::string* api_version = ScalarText(document, "apiVersion");
  const std::string* kind = ScalarText(document, "kind");
  if (IsNoObject(document)) {
    ++parsed_.skipped[kNoObject];
  } else if (kind != nullptr && *kind == "List" && api_version != nullptr && *api_version == "v1") {
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
    Refuse(list, NameAsWritten(list, source), source, problems.Take());
    return;
  }
  // A List within a List is none of Kubernetes', so the items are objects.
  for (const Node& item : items->items) AddObject(item, {file, item.line});
}

void Parser::AddObject(const Node& document, const SourceRef& source) {
  ObjectRef ref = NameAsWritten(document, source);
  if (std::vector<std::string> errors = TypeErrors(document, source); !errors.empty()) {
    Refuse(document, std::move(ref), source, std::move(errors));
    return;
  }
  const Kind* kind = FindKind(ref.group, ref.kind);
  if (kind == nullptr) {
    AddUnknown(document, ref, source);
    return;
  }
  const bool of_cluster = origin_ == Origin::kCluster;
  Problems problems(source.file, of_cluster);
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
    Refuse(document, std::move(ref), source, problems.Take());
    return;
  }
  ParsedObject parsed;
  {
    MapReader top(&document, "", source.line, &problems);
    top.Ignore({"apiVersion", "kind", "status"});
    ObjectMeta meta = ReadMeta(top.Require("metadata"), kind->namespaced, source);
    parsed.generation = meta.generation;
    ObjectInput in{top, std::move(meta), ref.group, ref.version, problems, of_cluster};
    Object object = kind->read(in);
    top.Finish();
    if (problems.empty()) {
      std::visit(
          [&](auto& of_kind) {
            of_kind.meta.lines = problems.TakeLines();
            of_kind.meta.written = WrittenOf(document, ref.group);
          },
          object);
      NoteUnknownFields(problems.TakeUnknownFields(), &object);
      parsed.object = std::make_shared<const Object>(std::move(object));
    }
  }
  if (!problems.empty()) {
    Refuse(document, std::move(ref), source, problems.Take(), parsed.generation);
    parsed_.objects.back().claims = true;
    return;
  }
  parsed.ref = std::move(ref);
  parsed.source = source;
  parsed_.objects.push_back(std::move(parsed));
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
    problems.Add("kind",
                 "there is no kind " + Quoted(ref.kind) + " in " + ref.group +
                     DidYouMean(ref.kind, KindsOf(ref.group)),
                 source.line);
  }
  if (problems.empty() && !OwnGroup(ref.group)) {
    // A kind of ours in a group that is nearly ours is not somebody else's kind.
    const std::string_view group = NearestWord(ref.group, kOwnGroups);
    if (!group.empty() && FindKind(std::string(group), ref.kind) != nullptr) {
      problems.Add("apiVersion",
                   "unknown group " + Quoted(ref.group) + DidYouMean(ref.group, kOwnGroups),
                   source.line);
    }
  }
  if (problems.empty() && ref.group.empty()) {
    // Of the core group only kinds that are nearly ours: it has many others.
    const std::string meant = DidYouMean(ref.kind, KindsOf(""));
    if (!meant.empty()) {
      problems.Add("kind", "unknown kind " + Quoted(ref.kind) + meant, source.line);
    }
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
  if (problems.empty() && AddForeign(document, ref, source, &problems)) return;
  if (!problems.empty()) {
    Refuse(document, ref, source, problems.Take());
    return;
  }
  ++parsed_.skipped[ref.ApiVersion() + " " + ref.kind];
}

bool Parser::AddForeign(const Node& document, const ObjectRef& ref, const SourceRef& source,
                        Problems* problems) {
  ForeignObject foreign;
  foreign.targets = ForeignTargets(document, ref.ns.empty() ? "default" : ref.ns);
  if (foreign.targets.empty()) return false;
  foreign.effect = ForeignEffect(document, ref);
  const Node* metadata = document.Find("metadata");
  foreign.meta = ReadMeta(Value(metadata, "metadata", source.line, problems), true, source);
  if (!problems->empty()) return false;
  foreign.meta.lines = problems->TakeLines();
  foreign.group = ref.group;
  foreign.version = ref.version;
  foreign.kind = ref.kind;
  ParsedObject parsed;
  parsed.ref = ref;
  parsed.ref.ns = foreign.meta.ns;
  parsed.source = source;
  parsed.generation = foreign.meta.generation;
  parsed.object = std::make_shared<const Object>(std::move(foreign));
  parsed_.objects.push_back(std::move(parsed));
  return true;
}

void Parser::Refuse(const Node& document, ObjectRef ref, const SourceRef& source,
                    std::vector<std::string> errors, int64_t generation) {
  ParsedObject broken;
  broken.kind_known = FindKind(ref.group, ref.kind) != nullptr;
  broken.hides = MayHideOthers(document);
  const bool names_others = ref.kind == "BackendTLSPolicy" || ref.kind == "HTTPRoute";
  if (ref.group == kGatewayGroup && names_others && document.is_map()) {
    broken.targets = ForeignTargets(document, ref.ns.empty() ? "default" : ref.ns);
  }
  broken.ref = std::move(ref);
  broken.generation = generation;
  broken.source = source;
  broken.errors = std::move(errors);
  parsed_.objects.push_back(std::move(broken));
}

Parsed Parser::Take() { return std::move(parsed_); }

}  // namespace gw::api
