// Semaphore: bounds something counted (requests in flight, bytes in memory) among coroutines of one
// executor, first come first served.
#pragma once

#include <cstdint>

#include "async/event.h"

namespace pegmove::async {

class Semaphore {
 public:
  explicit Semaphore(int64_t permits) : left_(permits) {}

  // Waits until `count` permits are free and takes them. A count larger than all permits passes
  // when everything else has been given back: one huge row does not lock a copy up.
  Routine<> acquire(int64_t count);
  void release(int64_t count);

 private:
  int64_t left_;
  int64_t taken_ = 0;
  uint64_t next_ticket_ = 0;
  uint64_t serving_ = 0;
  Event changed_;
};

}  // namespace pegmove::async
