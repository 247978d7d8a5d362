#include "async/event.h"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace pegmove::async {
void Event::notify() {
  if (waiters_.empty()) {
    is_set_ = true;
    return;
  }
  auto waiter = std::move(waiters_.front());
  waiters_.pop_front();
  waiter();
}

void Event::notify_all() {
  auto waiters = std::exchange(waiters_, {});
  for (auto& waiter : waiters) waiter();
}

Routine<> Event::wait() {
  if (std::exchange(is_set_, false)) co_return;
  co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
      [this](auto handler) {
        auto slot = asio::get_associated_cancellation_slot(handler);
        auto place = waiters_.emplace(waiters_.end(), [handler = std::move(handler)]() mutable {
          auto executor = asio::get_associated_executor(handler);
          asio::get_associated_cancellation_slot(handler).clear();
          asio::post(executor, std::move(handler));
        });
        if (slot.is_connected())
          slot.assign([this, place](asio::cancellation_type) {
            auto waiter = std::move(*place);
            waiters_.erase(place);
            waiter();  // destroys this lambda: nothing may follow
          });
      },
      asio::use_awaitable);  // no result
}

}  // namespace pegmove::async
