// A TCP proxy on loopback that does to connections what networks and servers do to them, for tests
// that speak to real servers through it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace pegmove::testing {

// What is done to connections from now on; each may be changed at any time.
struct Faults {
  std::atomic<int> refuse_with_503 = 0;  // so many connections, before they reach the server
  std::atomic<int> cut_replies = 0;      // so many, at byte `at` of the reply
  std::atomic<int> flip_replies = 0;     // so many get another byte `at`
  std::atomic<int> flip_requests = 0;    // the same for what is sent
  std::atomic<bool> away = false;        // 503 to every request, also on open connections
  std::atomic<bool> silent = false;      // replies do not come
  std::atomic<int64_t> at = 0;
  std::atomic<int64_t> reply_bytes = 0;  // seen so far
};

// Texts that stand for others: `first` becomes `second`.
using Rewrites = std::vector<std::pair<std::string, std::string>>;

// Serves in threads of its own until it is destroyed.
class FaultProxy {
 public:
  // To a server on loopback. Rewrites what it answers (as for the address that a redirect names),
  // and what it is asked.
  explicit FaultProxy(uint16_t server_port, Rewrites of_replies = {}, Rewrites of_requests = {});
  ~FaultProxy();

  // What clients have said so far, the beginning of each piece.
  std::string requests() const;

  uint16_t port() const;
  Faults& faults();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pegmove::testing
