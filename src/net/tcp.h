// The interfaces of stream.h over TCP.
#pragma once

#include "net/stream.h"

namespace pegmove::net {

class TcpConnector : public Connector {
 public:
  explicit TcpConnector(const Clock& clock) : clock_(clock) {}
  Task<std::unique_ptr<Stream>> connect(Address to, Deadline deadline) override;

 private:
  const Clock& clock_;
};

// Listens at once; port 0 takes a free one. Errors: kAlreadyExists when the port is in use, kIo
// otherwise; both name the address.
Result<std::unique_ptr<Acceptor>> listen_tcp(asio::any_io_executor executor, Address at);

}  // namespace pegmove::net
