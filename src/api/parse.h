// Parser: documents in, objects out. Strict: in files an unknown field is an error. Of the core
// kinds only what is needed is read, and below that nothing is looked at (a Pod's containers).
// `status` and what the API server keeps in metadata are looked at only where they are input: of
// Pod, and, as an API server holds them, the addresses of Service and Gateway.
//
// An API server has judged its objects by the schema it has, which may be newer than what is known
// here: an unknown field is none that somebody has misspelt. The object is read without it, and the
// field is noted (unknown_fields.h).
//
// The rules are those of the kinds' schemas, with one exception: two listeners with the same port,
// protocol and host name are left to translate, which marks both Conflicted and serves the others.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/node.h"
#include "api/object.h"

namespace gw::api {

class Problems;

enum class Origin : uint8_t {
  kFile,     // written by hand, and judged by nobody yet
  kCluster,  // as an API server holds it: a Pod without conditions is one that has not begun
};

// One thread. Add every document, then Take once. Objects of one name are all kept: which of them
// is served is not for the parser to say.
class Parser {
 public:
  explicit Parser(Origin origin = Origin::kFile) : origin_(origin) {}

  // A document is one object, a List of them, or empty. `file` is named in messages; "" for none.
  void Add(const Node& document, const std::string& file);
  Parsed Take();

  // "gateway.networking.k8s.io/v1 HTTPRoute", ...: what is read.
  static std::vector<std::string> KindsRead();

 private:
  struct Kind;
  static std::span<const Kind> AllKinds();
  static std::vector<std::string_view> KindsOf(std::string_view group);
  static const Kind* FindKind(const std::string& group, const std::string& kind);
  void AddObject(const Node& document, const SourceRef& source);
  // Whether it is an object that asks something of one that is served; problems are added if it is
  // and breaks the rules.
  bool AddForeign(const Node& document, const ObjectRef& ref, const SourceRef& source,
                  Problems* problems);
  void AddUnknown(const Node& document, const ObjectRef& ref, const SourceRef& source);
  void AddList(const Node& list, const std::string& file);
  void Refuse(const Node& document, ObjectRef ref, const SourceRef& source,
              std::vector<std::string> errors, int64_t generation = 1);

  const Origin origin_;
  Parsed parsed_;
};

}  // namespace gw::api
