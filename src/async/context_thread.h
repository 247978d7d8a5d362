// A thread with its own io_context, and the way to run a coroutine there and wait for it.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>
#include <thread>
#include <utility>

#include "async/task.h"

namespace pegmove::async {

// Runs until it is destroyed; then it finishes the remaining work, and joins. That work must have
// been stopped before.
class ContextThread {
 public:
  ContextThread() : work_(context_.get_executor()), thread_([this] { context_.run(); }) {}
  ~ContextThread() {
    work_.reset();
    thread_.join();
  }

  asio::any_io_executor executor() { return context_.get_executor(); }

  // From any other thread: runs the routine on this one and waits for its end.
  void wait_for(Routine<> routine);
  // The same, and returns its result.
  template <typename T>
  T wait_for(Routine<T> routine) {
    std::optional<T> out;
    wait_for(keep(std::move(routine), &out));
    return *std::move(out);
  }

 private:
  asio::io_context context_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::thread thread_;
};

}  // namespace pegmove::async
