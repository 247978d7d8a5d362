#include "net/byte_budget.h"

#include <algorithm>
#include <boost/asio/post.hpp>

namespace pegmove::net {

std::optional<ByteBudget::Share> ByteBudget::try_take(size_t bytes) {
  std::lock_guard lock(mutex_);
  if (!line_.empty()) return std::nullopt;
  return take_locked(bytes);
}

// An eighth is reserved for small, long-lived requests, so that they cannot keep a large request
// out forever.
std::optional<ByteBudget::Share> ByteBudget::take_locked(size_t bytes) {
  const auto needed = std::min(bytes, limit_ - limit_ / 8);
  if (used_locked() + needed > limit_ && !closed_) return std::nullopt;
  request_bytes_ += bytes;
  return Share(shared_from_this(), bytes);
}

void ByteBudget::give_back(size_t bytes) {
  std::lock_guard lock(mutex_);
  request_bytes_ -= bytes;
  post_wake_locked();
}

ByteBudget::Place::Place(std::shared_ptr<ByteBudget> budget, async::Event& wake)
    : budget_(std::move(budget)), wake_(wake) {
  std::lock_guard lock(budget_->mutex_);
  budget_->line_.push_back(this);
}

ByteBudget::Place::~Place() {
  std::lock_guard lock(budget_->mutex_);
  std::erase(budget_->line_, this);
  budget_->post_wake_locked();
}

std::optional<ByteBudget::Share> ByteBudget::Place::take(size_t bytes) {
  std::lock_guard lock(budget_->mutex_);
  if (budget_->line_.front() != this) return std::nullopt;
  return budget_->take_locked(bytes);
}

void ByteBudget::add_reply_bytes(size_t bytes) {
  std::lock_guard lock(mutex_);
  reply_bytes_ += bytes;
}

void ByteBudget::remove_reply_bytes(size_t bytes) {
  std::lock_guard lock(mutex_);
  reply_bytes_ -= bytes;
  post_wake_locked();
}

bool ByteBudget::has_room_locked() const {
  return used_locked() <= limit_ || reply_bytes_ == 0 || closed_;
}

bool ByteBudget::has_room_for_reply() const {
  std::lock_guard lock(mutex_);
  return has_room_locked();
}

void ByteBudget::when_room_for_reply(std::move_only_function<void()> work) {
  std::lock_guard lock(mutex_);
  if (closed_) return;
  put_off_.push_back(std::move(work));
  post_wake_locked();
}

bool ByteBudget::is_wanted() const {
  std::lock_guard lock(mutex_);
  return !line_.empty() || !put_off_.empty();
}

void ByteBudget::close() {
  std::vector<std::move_only_function<void()>> dropped;  // their captures release bytes
  std::lock_guard lock(mutex_);
  closed_ = true;
  dropped.swap(put_off_);
}

void ByteBudget::post_wake_locked() {
  if ((line_.empty() && put_off_.empty()) || std::exchange(wake_posted_, true)) return;
  asio::post(executor_, [self = shared_from_this()] { self->wake(); });
}

void ByteBudget::wake() {
  std::vector<std::move_only_function<void()>> work;
  {
    std::lock_guard lock(mutex_);
    wake_posted_ = false;
    if (!line_.empty()) line_.front()->wake_.notify();
    if (has_room_locked()) work.swap(put_off_);
  }
  for (auto& each : work) each();
}

}  // namespace pegmove::net
