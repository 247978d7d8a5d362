#include "async/semaphore.h"

namespace pegmove::async {

Routine<> Semaphore::acquire(int64_t count) {
  auto ticket = next_ticket_++;
  while (ticket != serving_ || (left_ < count && taken_ > 0))
    co_await changed_.wait();  // no result
  ++serving_;
  left_ -= count;
  taken_ += count;
  changed_.notify_all();
}

void Semaphore::release(int64_t count) {
  left_ += count;
  taken_ -= count;
  changed_.notify_all();
}

void Semaphore::resize(int64_t permits) {
  left_ += permits - permits_;
  permits_ = permits;
  changed_.notify_all();
}

Routine<Permit> Permit::take(Semaphore* semaphore) {
  if (semaphore) co_await semaphore->acquire(1);  // no result
  co_return Permit(semaphore);
}

}  // namespace pegmove::async
