// An embedded cluster that resembles a real one: its meta server does not have pegmove's own remote
// commands.
#pragma once

#include <string>

#include "testing/fault_proxy.h"

namespace pegmove::testing {

class RealLike {
 public:
  explicit RealLike(uint16_t meta_port)
      : leader_(meta_port, {},
                {{"backup.status", "no-such.thing"},
                 {"backup.cancel", "no-such.thing"},
                 {"bulk_load.status", "no-such.command1"}}),
        proxy_(meta_port, {{on_loopback(meta_port), on_loopback(leader_.port())}}) {}

  // The address of a meta server that names the one without the commands as the leader.
  std::string address() const { return on_loopback(proxy_.port()); }

 private:
  static std::string on_loopback(uint16_t port) { return "127.0.0.1:" + std::to_string(port); }

  FaultProxy leader_, proxy_;
};

}  // namespace pegmove::testing
