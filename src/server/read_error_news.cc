#include "server/read_error_news.h"

#include <utility>

namespace gw {

void ReadErrorNews::Set(std::string error, std::vector<std::string> unread) {
  now_ = {std::move(error), std::move(unread)};
}

ReadErrorNews::Say ReadErrorNews::Take(TimePoint now) {
  const bool was_said = !said_.error.empty();
  if (now_.error.empty()) {
    said_ = {};
    return was_said ? Say::kAllRead : Say::kNothing;
  }
  if (now_.resources.empty()) {
    if (now_.error == said_.error) return Say::kNothing;
  } else {
    if (was_said && now_.resources == said_.resources) return Say::kNothing;
    if (resources_said_at_ && now - *resources_said_at_ < kInterval) return Say::kNothing;
    resources_said_at_ = now;
  }
  said_ = now_;
  return Say::kErrors;
}

}  // namespace gw
