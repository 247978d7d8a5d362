#include "async/context_thread.h"

#include <boost/asio/co_spawn.hpp>
#include <exception>
#include <future>

namespace pegmove::async {

void ContextThread::wait_for(Routine<> routine) {
  std::promise<void> promise;
  asio::co_spawn(context_, std::move(routine), [&](std::exception_ptr broken) {
    broken ? promise.set_exception(broken) : promise.set_value();
  });
  promise.get_future().get();
}

}  // namespace pegmove::async
