// The interfaces to the network that RPC needs; tests can replace them.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "async/clock.h"
#include "async/task.h"
#include "net/address.h"

namespace pegmove::net {

// A connection. All on one executor; one read and one write may be under way at a time.
class Stream {
 public:
  virtual ~Stream() = default;

  // Waits for bytes and reads at most to.size() of them; 0 = the other side has closed.
  // Errors: kUnreachable when the connection broke or close() was called.
  virtual Task<size_t> read_some(std::span<char> to) = 0;
  // Errors: kUnreachable. Some of the bytes may have been sent then.
  virtual Task<> write_all(std::string_view bytes) = 0;
  // Ends running calls. Repeatable.
  virtual void close() = 0;
  virtual Address peer() const = 0;
};

class Connector {
 public:
  virtual ~Connector() = default;
  // Errors: kUnreachable with the system's reason, kTimeout after the deadline.
  virtual Task<std::unique_ptr<Stream>> connect(Address to, Deadline deadline) = 0;
};

class Acceptor {
 public:
  virtual ~Acceptor() = default;
  // Errors: kUnreachable after close(); kIo when the system refuses for now (too many open files).
  virtual Task<std::unique_ptr<Stream>> accept() = 0;
  virtual void close() = 0;
  virtual Address local() const = 0;  // from any thread, after close() too
};

}  // namespace pegmove::net
