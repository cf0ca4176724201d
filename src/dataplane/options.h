// Every limit and timeout of the data plane, by name. Reaching a limit has an outcome and is
// counted in penstock_limit_reached_total{limit="..."}.

#pragma once

#include <cstddef>
#include <string_view>

#include "base/clock.h"
#include "client/options.h"
#include "exchange/options.h"
#include "http/head.h"

namespace gw {

struct DataplaneOptions {
  ExchangeOptions exchange;

  // Limits.
  http::HeadLimits request_head;              // 431, 414
  http::HeadLimits response_head;             // 502
  size_t request_body_bytes_max = 32u << 20;  // 413
  size_t request_body_ratio_max = 200;        // decoded bytes for each coded one: 413
  // Held by all workers together: the newest request gets 503. Per connection 4 KiB are free.
  size_t held_bytes_max = 512u << 20;
  // A body that comes slower than this beyond client_body_timeout: 408.
  size_t body_bytes_per_second_min = 4096;
  size_t pipelined_bytes_max = 64 * 1024;  // reading from that client pauses
  size_t spare_body_bytes_max = 8u << 20;  // memory of ended bodies that a worker keeps: freed
  // Per worker: the longest idle client is closed; if none is idle, accepting pauses.
  size_t downstream_connections_max = 16384;
  size_t tls_handshakes_max = 1000;            // per worker, under way: the oldest is closed
  size_t admin_connections_max = 64;           // the longest idle one is closed
  size_t admin_feed_readers_max = 16;          // one more gets 503
  size_t admin_linger_bytes_max = 1u << 20;    // sent after an answer of the admin port: closed
  size_t idle_upstream_connections_max = 256;  // per worker and endpoint: the oldest is closed
  size_t model_list_bytes_max = 1u << 20;      // that endpoint's list is left out
  // Merged lists that are kept, of all workers together: the oldest leave before their time.
  size_t model_list_cache_entries_max = 1024;
  size_t model_list_cache_bytes_max = 16u << 20;
  size_t prefill_response_bytes_max = 8u << 20;  // that prefill half has failed
  // Of a pair's stream before its first output: it goes out, and no other pair is tried.
  size_t held_response_bytes_max = 64 * 1024;
  // Copies of requests, per worker: what is under way, what of bodies it holds, and of each answer.
  size_t mirrors_max = 256;                      // not sent
  size_t mirror_bytes_max = 64u << 20;           // not sent
  size_t mirror_response_bytes_max = 16u << 20;  // broken off

  // Requests whose spans wait for their way to the collector: those of the newest are not kept.
  size_t trace_queue_max = 2048;
  size_t trace_queue_bytes_max = 64u << 20;    // prompts with them: the newest are not kept
  size_t trace_prompt_bytes_max = 32u * 1024;  // of a prompt in a span: its end is cut

  size_t reads_per_turn_max = 4;  // of one connection, up to 256 KiB each: others have their turn
  size_t linger_bytes_max = 64u << 20;  // sent by a client after its answer: closed

  // Timeouts.
  Duration connect_timeout = std::chrono::seconds(5);             // another endpoint, 502
  Duration response_headers_timeout = std::chrono::seconds(600);  // to the first body byte: 504
  Duration stream_idle_timeout = std::chrono::seconds(300);       // the stream is broken off
  Duration client_header_timeout = std::chrono::seconds(10);      // 408 is not worth it: closed
  Duration tls_handshake_timeout = std::chrono::seconds(10);      // closed
  Duration client_body_timeout = std::chrono::seconds(60);        // between two reads: 408
  Duration client_write_timeout = std::chrono::seconds(300);      // it takes nothing: closed
  Duration keep_alive_timeout = std::chrono::seconds(60);         // idle clients: closed
  // While draining: idle clients and those that have not sent a byte yet may still begin a request.
  Duration drain_idle_grace = std::chrono::seconds(1);
  // uvicorn (vLLM, SGLang) closes idle connections after 5 s; stay below it.
  Duration upstream_keep_alive_timeout = std::chrono::seconds(4);
  // For the rest of a prefill half's error: the client gets what has come.
  Duration prefill_error_timeout = std::chrono::seconds(1);
  // A client or endpoint from which nothing comes for so long is asked by TCP whether it is still
  // there; after four questions, a quarter of this apart, its connection has failed. 0: never.
  Duration tcp_keep_alive = std::chrono::seconds(60);
  Duration mirror_timeout = std::chrono::seconds(300);  // a copy's answer is broken off
  Duration linger_timeout = std::chrono::seconds(2);    // for clients still sending after a refusal
  // From SIGTERM, which /readyz tells at once, to the drain: whoever sends new connections here
  // goes on doing so until it has seen that.
  Duration shutdown_delay{0};
  Duration drain_timeout = std::chrono::minutes(10);
  Duration trace_export_timeout = std::chrono::seconds(10);  // of one POST of spans: tried again
  Duration trace_retry_timeout = std::chrono::seconds(60);   // of all tries: those spans are lost
  Duration trace_flush_timeout = std::chrono::seconds(3);    // at the end, for what is left: lost
  Duration model_list_timeout = std::chrono::seconds(2);     // another endpoint, or left out
  Duration model_list_cache_time = std::chrono::seconds(2);

  // What of these holds for connections to endpoints.
  ClientOptions client() const {
    return {.response_head = response_head,
            .idle_connections_max = idle_upstream_connections_max,
            .reads_per_turn_max = reads_per_turn_max,
            .connect_timeout = connect_timeout,
            .response_timeout = response_headers_timeout,
            .idle_timeout = stream_idle_timeout,
            .keep_alive_timeout = upstream_keep_alive_timeout,
            .tcp_keep_alive = tcp_keep_alive};
  }
};

// What may be counted as a limit that was reached, shown at 0 before it is. Heads have a family of
// their own.
inline constexpr std::string_view kCountedLimits[] = {
    "body_bytes_per_second",
    "client_body_timeout",
    "client_header_timeout",
    "client_write_timeout",
    "connect_timeout",
    "dns_lookups",
    "downstream_connections",
    "drain_idle_grace",
    "drain_timeout",
    "fairness_id_bytes",
    "held_bytes",
    "held_response_bytes",
    "idle_upstream_connections",
    "json_depth",
    "keep_alive_timeout",
    "linger_bytes",
    "linger_timeout",
    "local_ports",
    "max_requests",
    "max_waiting",
    "mirror_bytes",
    "mirror_response_bytes",
    "mirror_timeout",
    "mirrors",
    "model_label_values",
    "model_list_bytes",
    "model_list_timeout",
    "model_name_bytes",
    "open_files",
    "pipelined_bytes",
    "prefill_error_timeout",
    "queue_bytes",
    "queue_requests",
    "queue_timeout",
    "repeats",
    "response_ids",
    "retries",
    "socket_memory",
    "spare_body_bytes",
    "spare_requests",
    "prefill_response_bytes",
    "reads_per_turn",
    "request_id_bytes",
    "request_body_bytes",
    "request_body_ratio",
    "response_head_bytes",
    "response_head_fields",
    "response_headers_timeout",
    "route_backend_request_timeout",
    "route_request_timeout",
    "stream_idle_timeout",
    "tcp_keep_alive",
    "tls_handshake_timeout",
    "tls_handshakes",
    "trace_export_timeout",
    "trace_flush_timeout",
    "trace_prompt_bytes",
    "trace_queue",
    "trace_queue_bytes",
    "trace_retry_timeout",
    "upstream_keep_alive_timeout",
    "usage_event_bytes",
};

}  // namespace gw
