// The memory that the connections of a server share: bytes of requests that are being read or
// handled, and of replies that clients have not received yet.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "async/event.h"

namespace pegmove::net {

// Requests wait for bytes in a queue, first come, first served. Replies are counted when they are
// made, also beyond the limit; while there are too many, work that would make more can be deferred.
// Owned by shared_ptr: requests that are being handled keep their bytes, and may outlive the
// server.
class ByteBudget : public std::enable_shared_from_this<ByteBudget> {
 public:
  ByteBudget(asio::any_io_executor executor, size_t limit)
      : executor_(std::move(executor)), limit_(limit) {}

  // Bytes of a request; released by the destructor, on any thread.
  class Share {
   public:
    Share() = default;
    Share(Share&& other) noexcept
        : budget_(std::move(other.budget_)), bytes_(std::exchange(other.bytes_, 0)) {}
    Share& operator=(Share&& other) noexcept {
      std::swap(budget_, other.budget_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Share() {
      if (budget_) budget_->give_back(bytes_);
    }
    explicit operator bool() const { return budget_ != nullptr; }

   private:
    friend class ByteBudget;
    Share(std::shared_ptr<ByteBudget> budget, size_t bytes)
        : budget_(std::move(budget)), bytes_(bytes) {}
    std::shared_ptr<ByteBudget> budget_;
    size_t bytes_ = 0;
  };

  // The bytes, if they are free and the queue is empty. On the executor.
  std::optional<Share> try_take(size_t bytes);

  // A place in the queue, on the executor. `wake` is notified whenever take() may have become
  // possible; it outlives the place.
  class Place {
   public:
    Place(std::shared_ptr<ByteBudget> budget, async::Event& wake);
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place();
    // The bytes, if this place is the first in the queue and they are free. A request that needs
    // (almost) the whole budget or more gets them when (almost) nothing else is in use.
    std::optional<Share> take(size_t bytes);

   private:
    friend class ByteBudget;
    std::shared_ptr<ByteBudget> budget_;
    async::Event& wake_;
  };

  // From any thread.
  void add_reply_bytes(size_t bytes);
  void remove_reply_bytes(size_t bytes);
  // Whether there is room for one more reply: the budget is not used up, or no reply is waiting for
  // its client.
  bool has_room_for_reply() const;
  // Runs the work on the executor as soon as there is room for a reply; drops it after close().
  void when_room_for_reply(std::move_only_function<void()> work);
  // Whether anybody waits for bytes that others have.
  bool is_wanted() const;

  // Ends all waits and drops deferred work.
  void close();

 private:
  size_t used_locked() const { return request_bytes_ + reply_bytes_; }
  bool has_room_locked() const;
  std::optional<Share> take_locked(size_t bytes);
  void give_back(size_t bytes);
  void post_wake_locked();
  void wake();

  asio::any_io_executor executor_;
  const size_t limit_;
  mutable std::mutex mutex_;  // guards what follows
  size_t request_bytes_ = 0;
  size_t reply_bytes_ = 0;
  std::list<Place*> line_;
  std::vector<std::move_only_function<void()>> put_off_;
  bool wake_posted_ = false;
  bool closed_ = false;
};

}  // namespace pegmove::net
