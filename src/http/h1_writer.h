// Writes HTTP/1.1 heads into a buffer, and knows which header fields belong to one hop only
// (RFC 9110 section 7.6.1): Connection and what it names, Keep-Alive, Proxy-Connection, TE,
// Trailer, Transfer-Encoding, Upgrade, HTTP2-Settings, Proxy-Authenticate, Proxy-Authorization.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/head.h"

namespace gw::http {

// True if the field must not be forwarded: one of the list above, or named by a Connection field of
// `headers`, which are searched each time; to ask for all fields of a head, use HopByHopFields.
bool IsHopByHop(std::string_view name, const HeaderList& headers);

// The answers of IsHopByHop for one head, with the Connection fields read once. Allocates only if
// Connection names a field. Views into `headers`.
class HopByHopFields {
 public:
  explicit HopByHopFields(const HeaderList& headers);
  bool Contains(std::string_view name) const;

 private:
  std::vector<std::string_view> named_;
};

// False for a trailer that must not pass: what frames or routes a message, says who sends it or
// how its content is read, so that a server which takes trailers for header fields could be lied to
// (RFC 9110 section 6.5.1).
bool MayTrail(std::string_view name);

// Names, values and targets are written as they are: whoever passes bytes from outside has them
// from a parser of h1_parser.h. An empty `reason` means that of ReasonPhrase.
void AppendRequestLine(std::string* out, std::string_view method, std::string_view target);
void AppendStatusLine(std::string* out, int status, std::string_view reason = {});
void AppendHeader(std::string* out, std::string_view name, std::string_view value);
void AppendHeader(std::string* out, std::string_view name, uint64_t value);
void AppendHeadEnd(std::string* out);

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7): made once per second and thread, valid
// until the thread's next call.
std::string_view DateText(int64_t unix_nanos);

// "c\r\n": the size line of a chunk of that many bytes. Returns its length.
size_t FormatChunkSize(uint64_t bytes, char out[20]);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

// Empty for a status code it does not know.
std::string_view ReasonPhrase(int status);

}  // namespace gw::http
