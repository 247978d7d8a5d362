// The calling side of RPC: one connection to one node, many calls in flight, matched by id.
#pragma once

#include <functional>
#include <unordered_map>

#include "async/event.h"
#include "async/task_group.h"
#include "base/bytes.h"
#include "net/stream.h"
#include "wire/frame.h"
#include "wire/rpc_code.h"

namespace pegmove::net {

// A call, ready to be sent. `body` is only read during the call of start() or call().
struct OutgoingCall {
  wire::RpcCode code;
  Gpid gpid{};
  uint64_t partition_hash = 0;
  std::string_view body;
  Deadline deadline;
  // If not null: set to true when sending begins; a call that failed before that was certainly not
  // carried out, and is not sent later. Must exist until the call is done.
  bool* sent = nullptr;
  // A read that a secondary may answer, too. Not in the framing THFT 0.
  bool is_backup_request = false;
  Gpid thread_of = {};  // see wire::RequestHead
  // What the header states as the request's timeout; 0: what is left of the deadline.
  int32_t stated_timeout_ms = 0;
};

// A reply: the RPC-level error, and the body with its owner.
struct IncomingReply {
  wire::ErrorCode error = wire::ErrorCode::kOk;
  SharedBytes body;
};

struct RpcChannelOptions {
  wire::Framing framing = wire::Framing::kRdsn;
  async::milliseconds connect_timeout{3000};
  size_t max_frame_size = wire::kMaxFrameSize;
  // When a call with a `sent` gets no answer in time after it was sent, the connection is closed,
  // so that what is left of it here is not delivered later. The other calls on it fail, too.
  bool closes_after_timeout = false;
};

// All on one executor. Connects at the first call, and again at the next call after the connection
// broke. Order: ...; stop(); co_await join(); destroy.
class RpcChannel {
 public:
  // Errors: kUnreachable (no connection, or it broke; the call may have been carried out),
  // kTimeout, kProtocol, kTooLarge (one of the replies on the connection was too large; it is not
  // known which). An RPC-level error is not an Error here: see IncomingReply.
  using Completion = std::move_only_function<void(Result<IncomingReply>)>;

  RpcChannel(asio::any_io_executor executor, Connector& connector, Clock& clock, Address address,
             RpcChannelOptions options);

  // Sends the call soon (calls that are started together are sent together). `done` is called once,
  // on the executor, never from within start(); it may start further calls.
  void start(const OutgoingCall& call, Completion done);
  // The same as a coroutine; the body must stay valid until it returns. A stop of the caller's task
  // group does not end it: its deadline does, or stop().
  Task<IncomingReply> call(OutgoingCall call);

  Address address() const { return address_; }
  size_t calls_in_flight() const { return pending_.size(); }
  void stop();
  Routine<> join();

 private:
  struct Pending {
    Deadline deadline;
    Completion done;
    bool* sent;
  };

  Routine<> keep_connected();
  Routine<> run_connection(std::unique_ptr<Stream> stream);
  Routine<> write_calls(Stream& stream);
  Task<> read_replies(Stream& stream);
  Routine<> expire_calls();
  void note_sent(std::string& batch);
  void close_connection();
  void finish(uint64_t id, Result<IncomingReply> result);
  void fail_all(const Error& error);

  asio::any_io_executor executor_;
  Connector& connector_;
  Clock& clock_;
  Address address_;
  RpcChannelOptions options_;
  uint64_t last_id_ = 0;
  std::unordered_map<uint64_t, Pending> pending_;
  std::string unsent_;
  struct Unsent {
    uint64_t id = 0;
    size_t begin = 0, bytes = 0;  // in unsent_
  };
  std::vector<Unsent> unsent_watched_;  // calls in unsent_ with a `sent`
  std::unique_ptr<Stream> stream_;
  async::Event has_work_;       // for keep_connected and write_calls
  async::Event has_deadlines_;  // for expire_calls
  bool connected_ = false;
  bool writer_ended_ = true;
  async::Event writer_done_;
  async::TaskGroup tasks_;
};

}  // namespace pegmove::net
