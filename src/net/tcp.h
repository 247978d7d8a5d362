// The interfaces of stream.h over TCP.
#pragma once

#include "net/stream.h"

namespace pegmove::net {

struct TcpOptions {
  // Not 0: a connection's bytes end with it, and it ends when the other side's host has not
  // acknowledged a byte, or has no room for one, for this long. So nothing arrives late after an
  // outage of the network, or when this process was stopped or killed meanwhile: bytes that are
  // unsent at the end of the connection are discarded (RST). Linux: TCP_USER_TIMEOUT, SO_LINGER.
  // 0: as the system does it, which repeats bytes for many minutes.
  async::milliseconds longest_unacknowledged{0};
};

class TcpConnector : public Connector {
 public:
  explicit TcpConnector(const Clock& clock, TcpOptions options = {})
      : clock_(clock), options_(options) {}
  // Errors: also kIo when the system does not take the options.
  Task<std::unique_ptr<Stream>> connect(Address to, Deadline deadline) override;

 private:
  const Clock& clock_;
  const TcpOptions options_;
};

// Listens at once; port 0 takes a free one. Errors: kAlreadyExists when the port is in use, kIo
// otherwise; both name the address.
Result<std::unique_ptr<Acceptor>> listen_tcp(asio::any_io_executor executor, Address at);

}  // namespace pegmove::net
