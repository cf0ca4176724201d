#include "translate/secret_token.h"

#include <fmt/format.h>

#include <algorithm>

namespace gw::internal {
bool IsToken(std::string_view text) {
  return !text.empty() && text.size() <= kTokenBytesMax &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

std::string_view WithoutLineEnd(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

absl::StatusOr<std::string> ReadToken(const Context& context, const std::string& ns,
                                      const std::string& secret, const std::string& key) {
  const std::string source = fmt::format("Secret {}/{}", ns, secret);
  const auto found = context.resources.secrets.find({ns, secret});
  if (found == context.resources.secrets.end()) {
    return absl::NotFoundError(
        fmt::format("{} {}", source, context.WhyMissing("", "Secret", ns, secret)));
  }
  const auto data = found->second.data.find(key);
  if (data == found->second.data.end()) {
    return absl::NotFoundError(fmt::format("{} has no key {} in its data", source, key));
  }
  const std::string_view token = WithoutLineEnd(data->second);
  if (IsToken(token)) return std::string(token);
  return absl::InvalidArgumentError(
      fmt::format("{}: data.{}: must be 1 to {} visible ASCII characters, got {} bytes", source,
                  key, kTokenBytesMax, data->second.size()));
}

}  // namespace gw::internal
