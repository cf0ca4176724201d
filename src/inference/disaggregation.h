// What disaggregated serving adds to the bodies of a request's two halves, and reads from the
// prefill half's response. Both protocols work on the client's own bytes: only the members named
// here are touched.
//
// SGLang: both halves get the same body with bootstrap_host, bootstrap_port and bootstrap_room, at
// the same time. vLLM with a NIXL connector: the prefill half gets kv_transfer_params that ask it
// to keep its KV blocks, generates one token, and answers kv_transfer_params that say where they
// are; the decode half gets the client's body with exactly those.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"
#include "inference/body_edit.h"
#include "inference/request.h"

namespace gw {

// True for the APIs whose requests can be split in two.
bool CanDisaggregate(ApiKind api);

// True for requests that generate one sequence. vLLM hands over the blocks of one: with several
// prompts its decode half would read those of the first for all of them (and can crash), with
// several samples it would read blocks that the first to fetch them has freed.
bool IsOneSequence(const InferenceRequest& request);

// Adds the bootstrap fields. A batch (several prompts, or n > 1) gets lists with a room for each
// sequence, as SGLang expands them itself; rooms are random in 0..2^63-1.
// REQUIRES: edit->Begin(body) and nothing set since
void SetBootstrap(std::string_view body, const InferenceRequest& request, std::string_view host,
                  uint16_t port, Random& random, BodyEdit* edit);

// Makes it the prefill half's body: one token, no stream, KV blocks kept for somebody else.
// REQUIRES: as above
void SetPrefillOnly(BodyEdit* edit);

// Makes it the decode half's body. `params` as FindKvTransferParams returned them.
// REQUIRES: as above
void SetKvTransferParams(std::string_view params, BodyEdit* edit);

// Takes out what a client may have put there itself: it would send the model server to fetch a KV
// cache from an address of the client's choice.
// REQUIRES: as above
void RemoveTransferMembers(BodyEdit* edit);

// The object kv_transfer_params of a response, as it stands in its bytes; nothing if there is none.
// REQUIRES: `response` is one valid JSON object
std::optional<std::string_view> FindKvTransferParams(std::string_view response);

}  // namespace gw
