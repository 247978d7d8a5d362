// StopSignal: a request to end long work soon and cleanly (Ctrl-C, a failed neighbour).
#pragma once

#include <atomic>

namespace pegmove::async {

// Safe from any thread and from signal handlers. Work checks it between its steps.
class StopSignal {
 public:
  void request() { requested_ = true; }
  bool requested() const { return requested_; }
  // The request is void (a cancel that was too late): the work continues.
  void withdraw() { requested_ = false; }

 private:
  std::atomic<bool> requested_ = false;
};

}  // namespace pegmove::async
