// CHECK stops the program when an invariant of our own is broken; it is on in release builds.
// What others can do to us (network, users, model servers) is handled, never checked.

#pragma once

namespace gw::internal {
[[noreturn]] void CheckFailed(const char* expression, const char* file, int line);
}  // namespace gw::internal

#define CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::gw::internal::CheckFailed(#condition, __FILE__, __LINE__))

#ifdef NDEBUG
#define DCHECK(condition) static_cast<void>(0)
#else
#define DCHECK(condition) CHECK(condition)
#endif
