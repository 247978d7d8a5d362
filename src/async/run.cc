#include "async/run.h"

#include <boost/asio/co_spawn.hpp>
#include <exception>

namespace pegmove::async {

void run_to_end(asio::io_context& context, Routine<> routine) {
  asio::co_spawn(context, std::move(routine), [&](std::exception_ptr broken) {
    if (broken) std::rethrow_exception(broken);
    context.stop();
  });
  context.restart();
  context.run();
}

}  // namespace pegmove::async
