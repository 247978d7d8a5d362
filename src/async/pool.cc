#include "async/pool.h"

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

namespace pegmove::async {

Pool::Pool(int threads) : threads_(std::make_unique<asio::thread_pool>(size_t(threads))) {}
Pool::~Pool() { threads_->join(); }

void Pool::post(std::move_only_function<void()> work) { asio::post(*threads_, std::move(work)); }

}  // namespace pegmove::async
