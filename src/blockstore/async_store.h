// A block store for coroutines: calls run on a pool and are tried again while the store is
// unavailable, and whole files are transferred between it and this machine.
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
  int tries_of_corrupt = 2;  // more tries for a file whose checksum is wrong
};

// How a file is transferred.
struct Transfer {
  std::vector<RateLimit*> limits = {};  // all apply; must exist until the transfer ends
  std::function<void(int64_t bytes)> on_bytes = {};  // that were transferred, or found in the store
  std::function<bool()> should_stop = {};            // checked between pieces: kInterrupted
  bool may_take = false;  // an uploaded file will not change on this machine: it need not be copied
};

struct FileSum {
  int64_t size = 0;
  std::string md5;
  bool operator==(const FileSum&) const = default;
};

struct Uploaded {
  FileSum sum;
  bool was_there = false;  // nothing was sent: the store has the same file
};

// Whether the same call may succeed later.
bool is_transient(const Error& error);

// On one executor; store, pool and clock must outlive it and its calls. Errors are those of
// BlockStore's calls, after the last try.
class AsyncStore {
 public:
  AsyncStore(std::shared_ptr<BlockStore> store, async::Pool& pool, Clock& clock,
             RetryOptions retry = {})
      : store_(std::move(store)), pool_(pool), clock_(clock), retry_(retry) {}

  BlockStore& store() const { return *store_; }
  Clock& clock() const { return clock_; }
  // Runs a blocking call that returns a Result on the pool; it is tried again like the store's own.
  template <typename Call>
  auto call(Call call, std::function<bool()> should_stop = {}) const
      -> Task<typename decltype(call())::value_type> {
    using T = typename decltype(call())::value_type;
    // outlives: this frame, until the last try has ended.
    auto attempt = [&]() -> Task<T> { co_return co_await pool_.run([&] { return call(); }); };
    co_return co_await with_retries<T>(attempt, std::move(should_stop));
  }
  // Runs other blocking work on the same pool.
  template <typename Work>
  auto run(Work work) const {
    return pool_.run(std::move(work));
  }

  Task<std::vector<Entry>> list(std::string path) const;
  Task<std::optional<Entry>> find(std::string path) const;  // nullopt: it does not exist
  // Errors: kTooLarge for more than `most_bytes`.
  Task<std::string> read_file(std::string path, size_t most_bytes) const;
  Task<> write_file(std::string path, std::string bytes) const;
  Task<> remove(std::string path) const;
  // As BlockStore's; nullopt: the store has no sidecars.
  std::optional<AsyncStore> without_sidecars() const;
  Task<> write_sidecar(std::string path, std::string md5) const;

  // Uploads a file of this machine. An existing file of the same size is compared by checksum, and
  // kept if it is the same.
  Task<Uploaded> upload(std::string local_path, std::string path, Transfer how) const;
  // Downloads a file to a path in an existing folder, as an AtomicFile (base/atomic_file.h): it
  // appears when all its bytes are on the disk and match `wanted` (an empty md5 is not compared).
  // When they do not match, the file is read again; only if they are wrong again, the file counts
  // as damaged. Errors: also kCorrupt, for a damaged file; nothing is left then.
  Task<> download(std::string path, std::string local_path, FileSum wanted, Transfer how) const;
  // Reads a whole file of the store, and returns its size and MD5.
  Task<FileSum> sum(std::string path, Transfer how) const;
  // The same for a file of this machine. Errors: kNotFound, kIo.
  Task<FileSum> sum_local(std::string local_path) const;

 private:
  // The retries of one call.
  class Retries {
   public:
    explicit Retries(const AsyncStore& store) : store_(store) {}
    bool may_help(const Error& error);
    Routine<bool> pause();  // false: no time is left, or the caller is cancelled

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
  // `move` makes a Task of a Transfer each time it is called; the bytes of a failed attempt are
  // subtracted again.
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
