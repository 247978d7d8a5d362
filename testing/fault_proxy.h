// A TCP proxy on loopback that injects faults of networks and servers, for tests that connect to
// real servers through it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace pegmove::testing {

// The faults to inject; each may be changed at any time.
struct Faults {
  std::atomic<int> refuse_with_503 = 0;  // this many connections, before they reach the server
  std::atomic<int> cut_replies = 0;      // this many, at byte `at` of the reply
  std::atomic<int> flip_replies = 0;     // this many get another byte `at`
  std::atomic<int> flip_requests = 0;    // the same for what is sent
  std::atomic<bool> away = false;        // 503 to every request, also on open connections
  std::atomic<bool> silent = false;      // replies are not forwarded
  std::atomic<int64_t> at = 0;
  std::atomic<int64_t> reply_bytes = 0;  // seen so far
};

// Text replacements: `first` becomes `second`.
using Rewrites = std::vector<std::pair<std::string, std::string>>;

// Serves in its own threads until it is destroyed.
class FaultProxy {
 public:
  // Connects to a server on loopback. Rewrites its replies (such as the address of a redirect) and
  // the requests.
  explicit FaultProxy(uint16_t server_port, Rewrites of_replies = {}, Rewrites of_requests = {});
  ~FaultProxy();

  // What clients have sent so far, the beginning of each piece.
  std::string requests() const;

  uint16_t port() const;
  Faults& faults();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pegmove::testing
