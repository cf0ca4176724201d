#include "prefix/endpoints.h"

#include <algorithm>
#include <cstdlib>

#include "base/check.h"
#include "prefix/run.h"

namespace gw::internal {
namespace {

constexpr size_t GroupsOf(size_t slots) {
  return (slots + HolderGroup::kSlots - 1) / HolderGroup::kSlots;
}

// From the system as zeros, so that what is never used costs no memory.
template <class T>
std::atomic<T>* NewTable(size_t count) {
  static_assert(sizeof(std::atomic<T>) == sizeof(T));
  void* memory = std::calloc(std::max<size_t>(count, 1), sizeof(T));
  CHECK(memory != nullptr);
  return static_cast<std::atomic<T>*>(memory);
}

}  // namespace

void Endpoints::Free::operator()(void* memory) const { std::free(memory); }

Endpoints::Endpoints(size_t slots)
    : cuts_(NewTable<uint64_t>(slots)), removals_(NewTable<uint32_t>(GroupsOf(slots))) {}

size_t Endpoints::FixedBytes(size_t slots) {
  return slots * sizeof(uint64_t) + GroupsOf(slots) * sizeof(uint32_t);
}

void Endpoints::Remove(uint32_t slot) {
  const uint64_t cut = clock_.fetch_add(1);
  uint64_t before = cuts_[slot].load(std::memory_order_relaxed);
  while (before < cut && !cuts_[slot].compare_exchange_weak(before, cut)) {
  }
  // Last, so that who sees the count sees the cut.
  removals_[slot / HolderGroup::kSlots].fetch_add(1, std::memory_order_release);
}

}  // namespace gw::internal
