// Parser: documents in, ResourceSet out. Strict: an unknown field is an error. Of the core kinds
// only what is needed is read, and below that nothing is looked at (a Pod's containers). `status`
// and what the API server keeps in metadata are looked at only where they are input: of Pod.
//
// The rules are those of the kinds' schemas, with one exception: two listeners with the same port,
// protocol and host name are left to translate, which marks both Conflicted and serves the others.

#pragma once

#include <map>
#include <string>
#include <tuple>

#include "api/node.h"
#include "api/resources.h"

namespace gw::api {

// One thread. Add every document, then Take once.
class Parser {
 public:
  // A document is one object, a List of them, or empty. `file` is named in messages; "" for none.
  void Add(const Node& document, const std::string& file);
  ResourceSet Take();

 private:
  struct Kind;
  static const Kind* FindKind(const std::string& group, const std::string& kind);
  void AddObject(const Node& document, const SourceRef& source);
  void AddUnknown(const Node& document, const ObjectRef& ref, const SourceRef& source);
  void AddList(const Node& list, const std::string& file);
  void Refuse(ObjectRef ref, const SourceRef& source, std::vector<std::string> errors,
              int64_t generation = 1);
  // Takes the name for this object; false, and the object refused, if another has it.
  bool Claim(const ObjectRef& ref, const SourceRef& source);

  ResourceSet set_;
  // Kind, group, namespace and name -> where the first object of that name stands.
  std::map<std::tuple<std::string, std::string, std::string, std::string>, std::string> claimed_;
};

}  // namespace gw::api
