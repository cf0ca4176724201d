// ParsedBody: what the body of a request says, and what a pool makes of it.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "exchange/asked.h"
#include "http/content_decoder.h"
#include "inference/body_edit.h"
#include "inference/parser.h"
#include "inference/prompt_messages.h"
#include "inference/stream_usage.h"
#include "prefix/prompt_names.h"
#include "snapshot/snapshot.h"

namespace gw {

struct ParsedBody {
  InferenceRequest request;
  std::string_view bytes;
  TimePoint came{};                          // all of it
  std::optional<ParseOutcome> outcome;       // nullopt: it is not read
  std::vector<http::ContentCoding> codings;  // that are undone before it is read
  bool names_model_field = false;            // the route was found by the body's model
  const ModelBinding* model = nullptr;       // of the pool's InferenceModels
  std::optional<UsageAsk> usage_ask;
  size_t hashed_block_chars = 0;  // as the request's blocks are hashed
  // For its line in the log, where that has them; of the pool that it came to first.
  PromptNames names;
  std::unique_ptr<PromptMessages> messages;  // for its spans, where they carry prompts

  // For the next request. Keeps memory, but not more than any client may cause.
  void Reset();
  // Into request and outcome; the prompt also into `messages`, with at most `message_bytes_max`
  // bytes, unless that is 0. REQUIRES: InferenceParser's padding behind `bytes`
  void Read(const Asked& asked, size_t prompt_chars_max, InferenceParser* parser,
            size_t message_bytes_max = 0);
  // A rewrite says what is asked for in place of the name, an InferenceModel what is sent for that.
  // False: nobody declares the name. `sticky`: the value that targets are chosen by.
  bool MapModel(const PoolEntry& pool, const std::optional<uint64_t>& sticky, Random& random);
  // Begins the edit of what is sent: with what stands in place of the model's name, and for the
  // usage of streams.
  void Splice(BodyEdit* edit, bool asks_usage = true) const;
};

}  // namespace gw
