// BodyBuffer: the bytes of one request body, contiguous and followed by the padding that the JSON
// parser may read. Grows with what has arrived, never with what a client only announced.

#pragma once

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

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
  void Append(std::string_view bytes) {
    if (size_ + bytes.size() > capacity_) Grow(size_ + bytes.size());
    std::memcpy(data_.get() + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
  }
  // Room for what will probably come, at most `kReserveMax` ahead of it.
  void Reserve(size_t bytes) {
    const size_t wanted = std::min(bytes, kReserveMax);
    if (wanted > capacity_) Grow(wanted);
  }
  // The memory goes back at once, unless it is so little that thousands of idle clients may keep
  // it.
  void Clear() {
    size_ = 0;
    if (capacity_ > kIdleBytesMax) Free();
  }
  void Free() {
    size_ = 0;
    capacity_ = 0;
    data_.reset();
  }
  std::string_view view() const { return {data_.get() != nullptr ? data_.get() : "", size_}; }
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }

 private:
  static constexpr size_t kReserveMax = 1 << 20;
  struct FreeDeleter {
    void operator()(char* p) const { std::free(p); }
  };

  void Grow(size_t wanted) {
    const size_t capacity = std::max(wanted, capacity_ + capacity_ / 2);
    char* grown =
        static_cast<char*>(std::realloc(data_.release(), capacity + Exchange::kBodyPadding));
    if (grown == nullptr) std::abort();
    data_.reset(grown);
    capacity_ = capacity;
  }

  std::unique_ptr<char, FreeDeleter> data_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace gw
