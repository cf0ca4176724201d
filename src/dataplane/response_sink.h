// ResponseSink: where the answer to one request goes. What a message looks like on the wire is the
// sink's business: an HTTP/1.1 connection is one; a stream of an HTTP/2 connection can be another.
//
// A RequestDriver calls it in this order: HoldHead any number of times (each in place of the one
// before), Write* and Done; or Answer and Done. Back-pressure: what the client does not take at
// once the sink keeps and says so by congested(); the driver then hands over no more than is under
// way, until its OnWritable is called. A client that takes nothing of it for client_write_timeout
// is gone.
//
// A call that finds the client gone calls RequestDriver::OnClientGone before it returns, and
// returns false: the driver is then done with the request and touches nothing any more.

#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "exchange/asked.h"
#include "http/head.h"

namespace gw {

// How the end of a message's body is told.
enum class BodyForm : uint8_t {
  kNone,     // there is no body, whatever comes of one
  kSized,    // by its length, said before
  kOpen,     // by an end of its own
  kToClose,  // by the end of the connection
};

// How a message ended.
enum class MessageEnd : uint8_t {
  kWhole,   // in order
  kNoEnd,   // nothing is missing but its end
  kBroken,  // cut: nobody may take it for complete
};

// An answer of the gateway's own, whole.
struct OwnAnswer {
  int status;
  std::string_view body;
  std::span<const http::HeaderField> fields;  // beside Date and what frames the message
};

class ResponseSink {
 public:
  // Who asks, for the log and for servers. Views that are valid until the request is done.
  virtual ClientIdentity client() const = 0;
  // A stream can be begun whose length nobody knows, and its being cut be told from its end.
  virtual bool has_open_form() const = 0;
  // The head that an endpoint sent. `changes_length`: the body on its way does.
  virtual BodyForm HoldHead(const http::ResponseHead& head, std::string_view request_id,
                            bool changes_length) = 0;
  // The head of an event stream that the gateway begins, with these beside Date and what frames the
  // message. REQUIRES: has_open_form()
  virtual void HoldStreamHead(std::span<const http::HeaderField> fields) = 0;
  // Sends the head that is held, if it has not gone yet, and the pieces. `last`: ends the message.
  // `trailers` go with the last, if the message's form has room for them.
  virtual bool Write(std::span<const std::string_view> pieces, bool last,
                     std::span<const http::HeaderField> trailers = {}) = 0;
  virtual bool Answer(const OwnAnswer& answer) = 0;
  // The driver has ended the request and may be given the next one before this returns.
  virtual void Done(MessageEnd end) = 0;
  virtual bool congested() const = 0;

 protected:
  ~ResponseSink() = default;
};

}  // namespace gw
