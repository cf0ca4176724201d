#include "bench/load/ask.h"

namespace gw::bench {

std::string_view NameOf(AnswerEnd end) {
  switch (end) {
    case AnswerEnd::kComplete:
      return "complete";
    case AnswerEnd::kStatus:
      return "status";
    case AnswerEnd::kErrorEvent:
      return "error_event";
    case AnswerEnd::kBroken:
      return "broken";
    case AnswerEnd::kConnect:
      return "connect";
    case AnswerEnd::kTimeout:
      return "timeout";
    case AnswerEnd::kUnfinished:
      return "unfinished";
  }
  return "unfinished";
}

}  // namespace gw::bench
