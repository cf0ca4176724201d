// Writes a prompt as PromptMessages. Strings are copied as they stand in the body, escapes and all,
// so that nothing is decoded but what is cut.
//
// Includes simdjson's heavy header; only parser.cc and message_writer.cc include this one.

#pragma once

#include <cstddef>

#include "inference/prompt_messages.h"
#include "inference/render.h"
#include "inference/request.h"

namespace gw::internal {

// Of fields that PromptRenderer has found nothing wrong with. What it writes has `bytes_max` bytes
// at most; the beginning of the prompt is what stays.
PromptMessages WriteMessages(const PromptFields& fields, ApiKind api, size_t bytes_max);

}  // namespace gw::internal
