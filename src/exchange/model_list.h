// GET /v1/models: what the pools behind a route serve, as their endpoints tell it. Of each pool one
// endpoint is asked, and the next one if that one does not tell. A pool with InferenceModels lists
// their names, with what the endpoint says of the target model; a pool without any takes every name
// and lists what the endpoint lists.
//
// The rules are those of the HTTPRoute that matched (RouteTable::RulesFor): also those that want
// other header fields than this request has, since a client that asks what there is has not chosen
// a model yet. No weight is drawn, and a destination that cannot be served is left out as long as
// there is another.
//
// The endpoints are asked in the client's name: they may want its key, and show each key a list of
// its own. So a list belongs to the fields that were passed on. The filters of a rule and of its
// backendRef edit them as they do those of other requests; the path that is asked for is the API's,
// whatever they make of paths.

#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "http/head.h"
#include "snapshot/snapshot.h"

namespace gw {

struct ModelListPlan {
  // Of one pool: at most kAsksMax endpoints; none if none is ready.
  struct Part {
    const PoolEntry* pool;
    std::vector<const Endpoint*> candidates;
    FilterChain filters;  // of the first rule and backendRef that lead there
  };
  static constexpr size_t kAsksMax = 3;

  std::vector<Part> parts;
};
// Names and values of header fields.
using OwnedFields = std::vector<std::pair<std::string, std::string>>;
using ModelListRules = std::vector<const RouteRule*>;

// What an endpoint answered, and what the client gets.
struct ModelListAnswer {
  int status = 0;  // 0: nobody answered
  std::string content_type;
  OwnedFields fields;  // of its head, that are passed on
  std::string body;
};

// The rules whose pools are listed for a request that came to `rule`. Empty if it is a request like
// any other: `rule` leads to Services only, or no rule to an InferencePool that is served.
ModelListRules RulesOfModelList(const Snapshot& snapshot, const RouteTable& routes,
                                const RouteRule& rule, std::string_view path);

// The header fields of the request that the endpoints are asked with: who asks, and from which web
// page.
OwnedFields FieldsOfQuestion(const http::RequestHead& head);
// Of the answer's header fields those that are passed on: what says who may read it.
OwnedFields FieldsOfAnswer(const http::ResponseHead& head);

// What a list of these rules is remembered by. Clients' paths do not make more of them.
std::string KeyOf(const Snapshot& snapshot, const ModelListRules& rules, const OwnedFields& fields);

// `snapshot` must outlive the plan.
ModelListPlan PlanModelList(const Snapshot& snapshot, const ModelListRules& rules, TimePoint now,
                            Random& random);

// The answer to all of the plan, from one answer for each of its parts. A pool that refuses the
// client (401, 403) lists nothing. If no pool lists anything it is the first refusal; status 0 if
// there is none either.
ModelListAnswer MergeModelAnswers(const ModelListPlan& plan,
                                  std::span<const ModelListAnswer> answers);

// Of a list: the answer to GET /v1/models/NAME. Status 404 without a body if it is not listed.
ModelListAnswer PickModel(const ModelListAnswer& list, std::string_view name);

}  // namespace gw
