// Semaphore: bounds something counted (requests in flight, bytes in memory) among coroutines of one
// executor, first come first served.
#pragma once

#include <cstdint>
#include <utility>

#include "async/event.h"

namespace pegmove::async {

class Semaphore {
 public:
  explicit Semaphore(int64_t permits) : permits_(permits), left_(permits) {}

  // Waits until `count` permits are free and takes them. A count larger than all permits is granted
  // when all others have been released: one huge row does not block a copy forever. A stop of the
  // caller's task group does not end the wait: on return the permits are taken in any case.
  Routine<> acquire(int64_t count);
  void release(int64_t count);
  // Sets the total number of permits. If it is lower than the number taken, nothing is acquired
  // until enough have been released.
  void resize(int64_t permits);

 private:
  int64_t permits_;
  int64_t left_;
  int64_t taken_ = 0;
  uint64_t next_ticket_ = 0;
  uint64_t serving_ = 0;
  Event changed_;
};

// Holds a permit of a semaphore, which may be null.
class Permit {
 public:
  static Routine<Permit> take(Semaphore* semaphore);
  Permit(Permit&& other) noexcept : semaphore_(std::exchange(other.semaphore_, nullptr)) {}
  Permit& operator=(Permit&&) = delete;
  ~Permit() {
    if (semaphore_) semaphore_->release(1);
  }

 private:
  explicit Permit(Semaphore* semaphore) : semaphore_(semaphore) {}
  Semaphore* semaphore_;
};

}  // namespace pegmove::async
