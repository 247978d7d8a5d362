// A block store for coroutines: its calls run on a pool and are tried again while the store is
// away, and whole files move between it and this machine.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "async/pool.h"
#include "async/stop_signal.h"
#include "async/task.h"
#include "blockstore/block_store.h"
#include "blockstore/rate_limit.h"

namespace pegmove::blockstore {

struct RetryOptions {
  async::milliseconds retry_for{60'000};  // since the first failure of a call or a file
  async::milliseconds first_pause{200};
  async::milliseconds longest_pause{5'000};
  int tries_of_corrupt = 2;  // more, of a file whose checksum is wrong
};

// How a file moves.
struct Transfer {
  std::vector<RateLimit*> limits = {};               // each holds; alive until the transfer ends
  std::function<void(int64_t bytes)> on_bytes = {};  // that moved, or were found there
  std::function<bool()> should_stop = {};            // looked at between pieces: kInterrupted
  bool may_take = false;  // an uploaded file will not be changed here: it need not be copied
};

struct FileSum {
  int64_t size = 0;
  std::string md5;
  bool operator==(const FileSum&) const = default;
};

struct Uploaded {
  FileSum sum;
  bool was_there = false;  // nothing was sent: the store proved to have it
};

// Whether the same call may succeed later by itself.
bool is_transient(const Error& error);

// On one executor; store, pool and clock outlive it and what it is doing. Errors are those of
// BlockStore's calls, after the last try.
class AsyncStore {
 public:
  AsyncStore(std::shared_ptr<BlockStore> store, async::Pool& pool, Clock& clock,
             RetryOptions retry = {})
      : store_(std::move(store)), pool_(pool), clock_(clock), retry_(retry) {}

  BlockStore& store() const { return *store_; }
  Clock& clock() const { return clock_; }
  // A call that blocks and returns a Result, on the pool; tried again as the store's own are.
  template <typename Call>
  auto call(Call call, std::function<bool()> should_stop = {}) const
      -> Task<typename decltype(call())::value_type> {
    using T = typename decltype(call())::value_type;
    // outlives: this frame, until the last try has ended.
    auto attempt = [&]() -> Task<T> { co_return co_await pool_.run([&] { return call(); }); };
    co_return co_await with_retries<T>(attempt, std::move(should_stop));
  }
  // Other work that blocks, on the same pool.
  template <typename Work>
  auto run(Work work) const {
    return pool_.run(std::move(work));
  }

  Task<std::vector<Entry>> list(std::string path) const;
  Task<std::optional<Entry>> find(std::string path) const;  // nothing: it is not there
  // Errors: kTooLarge for more than `most_bytes`.
  Task<std::string> read_file(std::string path, size_t most_bytes) const;
  Task<> write_file(std::string path, std::string bytes) const;
  Task<> remove(std::string path) const;

  // Brings a file of this machine to the store. One that is there with the same size is proven by
  // checksum, and left as it is if it is the same.
  Task<Uploaded> upload(std::string local_path, std::string path, Transfer how) const;
  // Brings a file here, to a path in a folder that exists, as an AtomicFile (base/atomic_file.h):
  // it appears when all its bytes are on the disk and are as `wanted` (an empty md5 is not
  // compared). Bytes that changed on the way are fetched again; only when they stay wrong is the
  // file damaged. Errors: also kCorrupt, when it is; nothing is left then.
  Task<> download(std::string path, std::string local_path, FileSum wanted, Transfer how) const;
  // Reads a file of the store through.
  Task<FileSum> sum(std::string path, Transfer how) const;
  // The same for a file of this machine. Errors: kNotFound, kIo.
  Task<FileSum> sum_local(std::string local_path) const;

 private:
  // Those of one call.
  class Retries {
   public:
    explicit Retries(const AsyncStore& store) : store_(store) {}
    bool may_help(const Error& error);
    Routine<bool> pause();  // false: there is no time left, or the caller is cancelled

   private:
    const AsyncStore& store_;
    std::optional<Deadline> deadline_;
    int corrupt_ = 0;
    int tries_ = 0;
  };

  // `attempt` makes a Task each time it is called.
  template <typename T>
  Task<T> with_retries(std::function<Task<T>()> attempt, std::function<bool()> should_stop) const {
    Retries retries(*this);
    while (true) {
      auto out = co_await attempt();
      if (out || !retries.may_help(out.error())) co_return out;
      if (should_stop && should_stop()) co_return out;
      if (!co_await retries.pause()) co_return out;
    }
  }
  // `move` makes a Task of a Transfer each time it is called; bytes of an attempt that failed are
  // taken back from whoever counts them.
  template <typename Move>
  auto transfer(std::string doing, Transfer how, Move move) const -> decltype(move(how));
  Task<Uploaded> upload_once(std::string local_path, std::string path, const Transfer& how) const;
  Task<std::optional<FileSum>> prove(std::string local_path, std::string path,
                                     const Transfer& how) const;
  Task<> download_once(std::string path, std::string local_path, FileSum wanted,
                       const Transfer& how) const;
  Task<FileSum> sum_once(std::string path, const Transfer& how) const;

  std::shared_ptr<BlockStore> store_;  // shared with the set that opened it
  async::Pool& pool_;
  Clock& clock_;
  RetryOptions retry_;
};

}  // namespace pegmove::blockstore
