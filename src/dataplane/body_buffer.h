// BodyBuffer: the bytes of one request body, contiguous and followed by the padding that the JSON
// parser may read. Grows with what has arrived, never with what a client only announced.

#pragma once

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "dataplane/spare_bodies.h"
#include "exchange/exchange.h"

namespace gw {

// What each buffer of an idle connection may keep.
constexpr size_t kIdleBytesMax = 4096;

// Empties `text` and gives its memory back if it is more than an idle connection may keep.
inline void ClearForIdle(std::string* text) {
  if (text->capacity() > kIdleBytesMax) {
    std::string().swap(*text);
  } else {
    text->clear();
  }
}

class BodyBuffer {
 public:
  // `spare` outlives it; nullptr: all memory is the allocator's.
  explicit BodyBuffer(SpareBodies* spare = nullptr) : spare_(spare) {}
  ~BodyBuffer() { Free(); }
  BodyBuffer(BodyBuffer&& other) noexcept : spare_(other.spare_) { Swap(&other); }
  BodyBuffer& operator=(BodyBuffer&& other) noexcept {
    Swap(&other);
    return *this;
  }

  // Bytes that were read into Room() are not moved.
  void Append(std::string_view bytes) {
    if (bytes.data() != data_.get() + size_) {
      if (size_ + bytes.size() > capacity_) Grow(size_ + bytes.size());
      std::memcpy(data_.get() + size_, bytes.data(), bytes.size());
    }
    size_ += bytes.size();
  }
  // Room for what will probably come, at most `kReserveMax` ahead of it.
  void Reserve(size_t bytes) {
    const size_t wanted = std::min(bytes, kReserveMax);
    if (wanted > capacity_) Grow(wanted);
  }
  // Where the next bytes of the body may be written, to be handed to Append then, of the `left`
  // that are to come at most `most`; and if these are all, one byte more, which is not the body's.
  std::span<char> Room(size_t left, size_t most) {
    if (size_ == capacity_) Grow(size_ + std::min(left, kReserveMax));
    const size_t room = std::min({left, capacity_ - size_, most});
    return {data_.get() + size_, room == left ? room + 1 : room};
  }
  // The memory goes back at once, unless it is so little that thousands of idle clients may keep
  // it.
  void Clear() {
    size_ = 0;
    if (capacity_ > kIdleBytesMax) Free();
  }
  void Free() {
    if (spare_ != nullptr && data_ != nullptr) spare_->Keep(std::move(data_), capacity_);
    data_.reset();
    size_ = 0;
    capacity_ = 0;
  }
  std::string_view view() const { return {data_.get() != nullptr ? data_.get() : "", size_}; }
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }

 private:
  static constexpr size_t kReserveMax = 1 << 20;
  static_assert(Exchange::kBodyPadding >= 1);  // the one byte more

  void Grow(size_t wanted) {
    const size_t capacity = std::max(wanted, capacity_ + capacity_ / 2);
    if (data_ == nullptr && spare_ != nullptr) {
      std::tie(data_, capacity_) = spare_->Take(capacity);
      if (data_ != nullptr) return;
    }
    char* grown =
        static_cast<char*>(std::realloc(data_.release(), capacity + Exchange::kBodyPadding));
    if (grown == nullptr) std::abort();
    data_.reset(grown);
    capacity_ = capacity;
  }
  void Swap(BodyBuffer* other) {
    std::swap(data_, other->data_);
    std::swap(size_, other->size_);
    std::swap(capacity_, other->capacity_);
  }

  SpareBodies* spare_;
  SpareBodies::Memory data_;
  size_t size_ = 0;
  size_t capacity_ = 0;  // without the padding
};

}  // namespace gw
