#include "net/stream.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "net/net_test_util.h"
#include "net/tls_test_util.h"

namespace gw {
namespace {

// A connected pair over loopback. The recorders outlive the streams that call them.
struct Pair {
  Recorder client_events, server_events;
  std::unique_ptr<Stream> client, server;
};

enum class Kind { kPlain, kTls };

class StreamsOf : public ConnectedTest {
 protected:
  explicit StreamsOf(Kind kind) : tls_(kind == Kind::kTls) {}

  void SetUp() override { Connect(&pair_); }

  void Connect(Pair* pair) {
    Ends ends = ConnectedTest::Connect();
    if (tls_) Encrypt(*loop_, *handshakes_, &ends.client, &ends.server);
    pair->client = std::move(ends.client);
    pair->server = std::move(ends.server);
    pair->client_events.Attach(pair->client.get());
    pair->server_events.Attach(pair->server.get());
  }

  const bool tls_;
  const std::unique_ptr<TlsHandshakes> handshakes_ = TlsHandshakes::New(*loop_);
  Pair pair_;
};

// What holds for plain streams holds over TLS.
class Streams : public StreamsOf, public testing::WithParamInterface<Kind> {
 protected:
  Streams() : StreamsOf(GetParam()) {}
};
INSTANTIATE_TEST_SUITE_P(, Streams, testing::Values(Kind::kPlain, Kind::kTls),
                         [](const auto& kind) {
                           return kind.param == Kind::kPlain ? "Plain" : "Tls";
                         });

class PlainStreams : public StreamsOf {
 protected:
  PlainStreams() : StreamsOf(Kind::kPlain) {}
};

std::string Pattern(size_t bytes) {
  std::string text(bytes, '\0');
  uint32_t x = 1;
  for (char& c : text) {
    x = x * 1664525 + 1013904223;
    c = static_cast<char>(x >> 24);
  }
  return text;
}

// Writes `text` in small parts as fast as the stream takes it.
struct Sender {
  void Pump() {
    while (sent < text.size()) {
      std::vector<iovec> parts;
      size_t end = sent;
      for (size_t i = 0; i < parts_per_write && end < text.size(); ++i) {
        const size_t n = std::min<size_t>(part_bytes + i, text.size() - end);
        parts.push_back({text.data() + end, n});
        end += n;
      }
      const IoResult result = stream->Write(parts);
      sent += result.bytes;
      if (result.state == IoState::kWouldBlock) ++blocked;
      if (result.state != IoState::kOk) return;
      ASSERT_EQ(sent, end) << "kOk means all of it";
    }
  }

  Stream* stream;
  std::string text;
  size_t part_bytes = 1000;
  size_t parts_per_write = 100;
  size_t sent = 0;
  int blocked = 0;
};

TEST_P(Streams, BytesArriveInOrderBothWays) {
  EXPECT_EQ(WriteText(*pair_.client, "ping"), IoState::kOk);
  RunUntil([&] { return pair_.server_events.text == "ping"; });
  EXPECT_EQ(WriteText(*pair_.server, "pong"), IoState::kOk);
  RunUntil([&] { return pair_.client_events.text == "pong"; });
  EXPECT_EQ(pair_.client_events.state, IoState::kWouldBlock);
}

TEST_P(Streams, BothSidesAgreeOnTheirAddresses) {
  EXPECT_EQ(pair_.client->local(), pair_.server->peer());
  EXPECT_EQ(pair_.client->peer(), pair_.server->local());
  EXPECT_EQ(pair_.client->peer(), listener_->local());
}

TEST_P(Streams, WriteOfEmptyPartsMovesNothing) {
  char text[] = "ab";
  EXPECT_EQ(pair_.client->Write({}).state, IoState::kOk);
  const iovec parts[] = {{text, 0}, {text, 1}, {text, 0}, {text, 0}, {text + 1, 1}, {text, 0}};
  const IoResult result = pair_.client->Write(parts);
  EXPECT_EQ(result.state, IoState::kOk);
  EXPECT_EQ(result.bytes, 2u);
  RunUntil([&] { return pair_.server_events.text == "ab"; });
}

// The peer takes one small read per round; the writer must stop, hear of room, and lose nothing.
TEST_P(Streams, ManyMegabytesReachASlowReaderWhole) {
  struct SlowReader final : StreamObserver {
    void OnReadable() override {
      char buffer[20'000];
      const IoResult result = stream->Read(buffer);
      text.append(buffer, result.bytes);
      state = result.state;
      if (result.state == IoState::kOk) stream->ReadAgainLater();
    }
    void OnWritable() override {}
    Stream* stream;
    std::string text;
    IoState state = IoState::kOk;
  } reader;
  reader.stream = pair_.server.get();
  pair_.server->set_observer(&reader);
  Sender sender{pair_.client.get(), Pattern(32 << 20)};
  pair_.client_events.on_writable = [&] {
    sender.Pump();
    if (sender.sent < sender.text.size()) return;
    if (pair_.client->ShutdownWrite() == IoState::kOk) pair_.client.reset();
  };
  sender.Pump();
  RunUntil([&] { return reader.state == IoState::kEnd; });
  EXPECT_EQ(reader.text.size(), sender.text.size());
  EXPECT_TRUE(reader.text == sender.text);
  EXPECT_GT(sender.blocked, 1);
}

TEST_P(Streams, WriterIsHeldBackWhileNobodyReads) {
  struct Deaf final : StreamObserver {
    void OnReadable() override {}
    void OnWritable() override {}
  } deaf;
  pair_.server->set_observer(&deaf);
  Sender sender{pair_.client.get(), Pattern(64 << 20)};
  pair_.client_events.on_writable = [&] { sender.Pump(); };
  sender.Pump();
  for (int i = 0; i < 50; ++i) loop_->RunOnce(std::chrono::milliseconds(1));
  EXPECT_LT(sender.sent, sender.text.size());
  EXPECT_GE(sender.blocked, 1);
}

TEST_P(Streams, OnWritableComesOnlyAfterAWriteThatWouldBlock) {
  for (int i = 0; i < 10; ++i) {
    WriteText(*pair_.client, "x");
    WriteText(*pair_.server, "y");
    RunUntil([&] { return pair_.server_events.text.size() == static_cast<size_t>(i) + 1; });
  }
  EXPECT_EQ(pair_.client_events.writable_calls, 0);
  EXPECT_EQ(pair_.server_events.writable_calls, 0);
}

TEST_P(Streams, OrderlyCloseIsSeenAsEndAfterTheData) {
  WriteText(*pair_.client, "last words");
  pair_.client.reset();
  RunUntil([&] { return pair_.server_events.state == IoState::kEnd; });
  EXPECT_EQ(pair_.server_events.text, "last words");
  EXPECT_TRUE(pair_.server->peer_gone());
  char byte;
  EXPECT_EQ(pair_.server->Read({&byte, 1}).state, IoState::kEnd);
}

TEST_P(Streams, HalfCloseEndsOneDirectionOnly) {
  WriteText(*pair_.client, "question");
  pair_.client->ShutdownWrite();
  RunUntil([&] { return pair_.server_events.state == IoState::kEnd; });
  EXPECT_EQ(pair_.server_events.text, "question");
  EXPECT_TRUE(pair_.server->peer_gone());
  EXPECT_FALSE(pair_.client->peer_gone());
  EXPECT_EQ(WriteText(*pair_.server, "answer"), IoState::kOk);
  RunUntil([&] { return pair_.client_events.text == "answer"; });
  EXPECT_FALSE(pair_.client->peer_gone());
}

// A peer that leaves is noticed even by one who does not read (a client that goes away while its
// answer is being made).
TEST_P(Streams, PeerGoneIsToldBeforeTheDataIsRead) {
  struct Watcher final : StreamObserver {
    void OnReadable() override { gone = stream->peer_gone(); }
    void OnWritable() override {}
    Stream* stream;
    bool gone = false;
  } watcher;
  watcher.stream = pair_.server.get();
  pair_.server->set_observer(&watcher);
  WriteText(*pair_.client, "unread");
  pair_.client->ShutdownWrite();
  RunUntil([&] { return watcher.gone; });
  pair_.server_events.Attach(pair_.server.get());
  pair_.server->ReadAgainLater();
  RunUntil([&] { return pair_.server_events.state == IoState::kEnd; });
  EXPECT_EQ(pair_.server_events.text, "unread");
}

TEST_P(Streams, ResetIsSeenAsErrorAndStaysOne) {
  pair_.client->ResetOnClose();
  pair_.client.reset();
  RunUntil([&] { return pair_.server_events.state == IoState::kError; });
  EXPECT_EQ(pair_.server_events.error_number, ECONNRESET);
  EXPECT_TRUE(pair_.server->peer_gone());
  char byte;
  EXPECT_EQ(pair_.server->Read({&byte, 1}).state, IoState::kError);
  EXPECT_EQ(WriteText(*pair_.server, "x"), IoState::kError);
  EXPECT_EQ(pair_.server->Read({&byte, 1}).state, IoState::kError);
}

// A server that answers early and closes while the body is still being sent: the write fails, the
// answer is still there.
TEST_P(Streams, AnswerCanBeReadAfterAWriteFailed) {
  struct Deaf final : StreamObserver {
    void OnReadable() override {}
    void OnWritable() override {}
  } deaf;
  pair_.client->set_observer(&deaf);
  WriteText(*pair_.server, "early answer");
  pair_.server.reset();
  RunUntil([&] { return pair_.client->peer_gone(); });
  IoState state;
  do {
    state = WriteText(*pair_.client, "body");
    loop_->RunOnce(Duration::zero());
  } while (state == IoState::kOk);
  EXPECT_EQ(state, IoState::kError);
  char buffer[100];
  const IoResult result = pair_.client->Read(buffer);
  EXPECT_EQ(result.state, IoState::kOk);
  EXPECT_EQ(std::string(buffer, result.bytes), "early answer");
  // It ended in order before the reset: nothing of it is missing.
  EXPECT_EQ(pair_.client->Read(buffer).state, IoState::kEnd);
}

TEST_P(Streams, HandlerMayDestroyItsStream) {
  pair_.server_events.then = [&] { pair_.server.reset(); };
  WriteText(*pair_.client, "x");
  RunUntil([&] { return pair_.client_events.state == IoState::kEnd; });
  EXPECT_EQ(pair_.server, nullptr);
}

TEST_P(Streams, WritableHandlerMayDestroyItsStream) {
  Sender sender{pair_.client.get(), Pattern(64 << 20)};
  pair_.client_events.on_writable = [&] { pair_.client.reset(); };
  sender.Pump();
  ASSERT_EQ(sender.blocked, 1);
  // A record that is begun and not ended is no end in order.
  const IoState end = tls_ ? IoState::kError : IoState::kEnd;
  RunUntil([&] { return pair_.server_events.state == end; });
  EXPECT_EQ(pair_.client, nullptr);
  EXPECT_EQ(pair_.server_events.text.size(), sender.sent);
}

// Both streams have an event in the same batch; whichever comes first destroys the other.
TEST_P(Streams, HandlerMayDestroyAStreamWhoseEventIsInTheSameBatch) {
  Pair other;
  Connect(&other);
  WriteText(*pair_.client, "a");
  WriteText(*other.client, "b");
  pair_.server_events.then = [&] { other.server.reset(); };
  other.server_events.then = [&] { pair_.server.reset(); };
  RunUntil([&] { return pair_.server == nullptr || other.server == nullptr; });
  loop_->RunOnce(Duration::zero());
  EXPECT_EQ(pair_.server_events.readable_calls + other.server_events.readable_calls, 1);
}

TEST_P(Streams, StreamThatAskedToReadAgainMayBeDestroyedBeforeIt) {
  Pair other;
  Connect(&other);
  pair_.server->ReadAgainLater();
  other.server->ReadAgainLater();
  pair_.server_events.then = [&] { other.server.reset(); };
  other.server_events.then = [&] { pair_.server.reset(); };
  loop_->RunOnce(Duration::zero());
  loop_->RunOnce(Duration::zero());
  EXPECT_EQ(pair_.server_events.readable_calls + other.server_events.readable_calls, 1);
}

TEST_P(Streams, ReadAgainLaterCallsOnceEachTimeAndDoesNotWait) {
  const int before = pair_.server_events.readable_calls;
  pair_.server->ReadAgainLater();
  pair_.server->ReadAgainLater();
  loop_->RunOnce(std::chrono::seconds(10));
  EXPECT_EQ(pair_.server_events.readable_calls, before + 1);
  loop_->RunOnce(Duration::zero());
  EXPECT_EQ(pair_.server_events.readable_calls, before + 1);
}

TEST_P(Streams, EventsWithoutAnObserverAreToldToTheNextOne) {
  pair_.server->set_observer(nullptr);
  WriteText(*pair_.client, "early");
  pair_.client->ShutdownWrite();
  RunUntil([&] { return pair_.server->peer_gone(); });
  EXPECT_EQ(pair_.server_events.text, "");
  pair_.server_events.Attach(pair_.server.get());
  RunUntil([&] { return pair_.server_events.state == IoState::kEnd; });
  EXPECT_EQ(pair_.server_events.text, "early");
}

// The scratch buffer fills exactly at the end of the data, several times.
TEST_P(Streams, ReadsThatFillTheBufferExactlyLoseNothing) {
  Recorder exact(8);
  exact.Attach(pair_.server.get());
  WriteText(*pair_.client, "12345678");
  RunUntil([&] { return exact.text == "12345678"; });
  WriteText(*pair_.client, "1234567812345678");
  RunUntil([&] { return exact.text.size() == 24; });
  WriteText(*pair_.client, "123");
  RunUntil([&] { return exact.text.size() == 27; });
  pair_.client.reset();
  RunUntil([&] { return exact.state == IoState::kEnd; });
}

TEST_P(Streams, IsDrainedOnceAReadHasTakenAllUntilMoreComes) {
  struct Deaf final : StreamObserver {
    void OnReadable() override { ++calls; }
    void OnWritable() override {}
    int calls = 0;
  } deaf;
  pair_.server->set_observer(&deaf);
  WriteText(*pair_.client, "12345678");
  RunUntil([&] { return deaf.calls == 1; });
  EXPECT_FALSE(pair_.server->drained());
  char buffer[8];
  EXPECT_EQ(pair_.server->Read({buffer, 8}).bytes, 8u);
  // It may just have filled the buffer; a record says where it ends.
  EXPECT_EQ(pair_.server->drained(), tls_);
  EXPECT_EQ(pair_.server->Read({buffer, 8}).state, IoState::kWouldBlock);
  EXPECT_TRUE(pair_.server->drained());
  WriteText(*pair_.client, "123");
  RunUntil([&] { return deaf.calls == 2; });
  EXPECT_FALSE(pair_.server->drained());
  EXPECT_EQ(pair_.server->Read({buffer, 8}).bytes, 3u);
  EXPECT_TRUE(pair_.server->drained());
}

// The end comes without a further event if it came together with the last bytes.
TEST_P(Streams, IsNotDrainedBeforeTheEndIsRead) {
  struct Deaf final : StreamObserver {
    void OnReadable() override {}
    void OnWritable() override {}
  } deaf;
  pair_.server->set_observer(&deaf);
  WriteText(*pair_.client, "last");
  pair_.client->ShutdownWrite();
  RunUntil([&] { return pair_.server->peer_gone(); });
  char buffer[8];
  EXPECT_EQ(pair_.server->Read({buffer, 8}).bytes, 4u);
  EXPECT_FALSE(pair_.server->drained());
  EXPECT_EQ(pair_.server->Read({buffer, 8}).state, IoState::kEnd);
}

// A read stops in front of urgent data, however much there is behind it, and no event tells of
// that.
TEST_F(PlainStreams, BytesBehindUrgentDataAreRead) {
  const SocketAddress address = listener_->local();
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_EQ(connect(fd, address.sockaddr_ptr(), address.length()), 0);
  RunUntil([&] { return !accepted_.empty(); });
  ASSERT_EQ(send(fd, "before", 6, 0), 6);
  ASSERT_EQ(send(fd, "!", 1, MSG_OOB), 1);
  ASSERT_EQ(send(fd, "behind", 6, 0), 6);
  Recorder recorder;
  recorder.Attach(accepted_.front().get());
  RunUntil([&] { return recorder.text == "beforebehind"; });
  close(fd);
}

}  // namespace
}  // namespace gw
