// The memory that the connections of a server share: bytes of requests that are being read or are
// in work, and of replies that clients have not taken yet.
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

// Who wants bytes for a request waits in a line; first come, first served. Replies are counted as
// they are made, also beyond the limit; as long as there are too many, work that would make more
// can be put off.
//
// Held by shared_ptr: requests in work hold their bytes, and may outlive the server.
class ByteBudget : public std::enable_shared_from_this<ByteBudget> {
 public:
  ByteBudget(asio::any_io_executor executor, size_t limit)
      : executor_(std::move(executor)), limit_(limit) {}

  // Bytes of a request; given back by the destructor, on any thread.
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

  // The bytes, if they are free and nobody waits in line. On the executor.
  std::optional<Share> try_take(size_t bytes);

  // A place in the line, on the executor. `wake` is notified whenever take() may have become
  // possible; it outlives the place.
  class Place {
   public:
    Place(std::shared_ptr<ByteBudget> budget, async::Event& wake);
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place();
    // The bytes, if this place is the first of the line and they are free. A request that is larger
    // than (almost) the whole budget gets them when (almost) nothing else is in use.
    std::optional<Share> take(size_t bytes);

   private:
    friend class ByteBudget;
    std::shared_ptr<ByteBudget> budget_;
    async::Event& wake_;
  };

  // From any thread.
  void add_reply_bytes(size_t bytes);
  void remove_reply_bytes(size_t bytes);
  // Whether one more reply is welcome: the budget is not used up, or no reply is there that its
  // client could take.
  bool has_room_for_reply() const;
  // Runs the work on the executor as soon as there is room for a reply; drops it after close().
  void when_room_for_reply(std::move_only_function<void()> work);
  // Whether somebody waits for bytes that others have.
  bool is_wanted() const;

  // Nobody waits any more; work that was put off is dropped.
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
