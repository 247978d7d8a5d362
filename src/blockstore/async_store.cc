#include "blockstore/async_store.h"

#include <fmt/format.h>

#include <boost/asio/this_coro.hpp>
#include <filesystem>
#include <utility>

#include "base/atomic_file.h"
#include "blockstore/digest.h"

namespace pegmove::blockstore {
namespace {

// Moves one piece per step on a pool's thread, and returns how many bytes it was; 0 at the end.
class UploadJob {
 public:
  static Result<std::unique_ptr<UploadJob>> start(BlockStore& store, const std::string& local_path,
                                                  const std::string& path, bool may_take) {
    auto file = TRY(base::LocalFile::open(local_path));
    const auto size = TRY(file.size());
    auto upload = may_take ? TRY(store.take(local_path, path)) : nullptr;
    if (!upload) upload = TRY(store.create(path));
    return std::unique_ptr<UploadJob>(
        new UploadJob(std::move(file), size, std::move(upload), store.chunk_bytes()));
  }

  Result<int64_t> step() {
    const auto bytes = TRY(file_.read(sum_.size, piece_));
    if (bytes.empty()) return 0;
    digest_.feed(bytes);
    TRY(upload_->append(bytes));
    sum_.size += int64_t(bytes.size());
    return int64_t(bytes.size());
  }

  Result<FileSum> finish() {
    if (sum_.size != size_) return fail(Code::kIo, file_.path() + " changed during the upload");
    sum_.md5 = digest_.finish_hex();
    TRY(upload_->finish(sum_.md5));
    return sum_;
  }

 private:
  UploadJob(base::LocalFile file, int64_t size, std::unique_ptr<Upload> upload, size_t piece)
      : file_(std::move(file)), size_(size), upload_(std::move(upload)), piece_(piece) {}

  base::LocalFile file_;
  int64_t size_;
  std::unique_ptr<Upload> upload_;
  size_t piece_;
  Digest digest_;
  FileSum sum_{};
};

class ProofJob {
 public:
  static Result<std::unique_ptr<ProofJob>> start(BlockStore& store, const std::string& local_path,
                                                 const std::string& path) {
    auto file = TRY(base::LocalFile::open(local_path));
    auto proof = TRY(store.prove(path));
    return std::unique_ptr<ProofJob>(
        new ProofJob(std::move(file), std::move(proof), store.chunk_bytes()));
  }

  Result<int64_t> step() {
    const auto bytes = TRY(file_.read(sum_.size, piece_));
    digest_.feed(bytes);
    proof_->feed(bytes);
    sum_.size += int64_t(bytes.size());
    return int64_t(bytes.size());
  }

  Result<std::optional<FileSum>> finish() {
    if (!TRY(proof_->holds())) return std::nullopt;
    sum_.md5 = digest_.finish_hex();
    return sum_;
  }

 private:
  ProofJob(base::LocalFile file, std::unique_ptr<Proof> proof, size_t piece)
      : file_(std::move(file)), proof_(std::move(proof)), piece_(piece) {}

  base::LocalFile file_;
  std::unique_ptr<Proof> proof_;
  size_t piece_;
  Digest digest_;
  FileSum sum_{};
};

// Reads a file of the store, and writes it to this machine if a path is given.
class ReadJob {
 public:
  ReadJob(BlockStore& store, std::string path) : store_(store), path_(std::move(path)) {}

  Result<void> write_to(const std::string& local_path) {
    file_.emplace(TRY(base::AtomicFile::create(local_path)));
    return {};
  }

  Result<int64_t> step() {
    const auto bytes = TRY(store_.read(path_, sum_.size, store_.chunk_bytes()));
    digest_.feed(bytes);
    if (file_) {
      TRY(file_->append(bytes));
      file_->begin_sync();
    }
    sum_.size += int64_t(bytes.size());
    return int64_t(bytes.size());
  }

  FileSum sum() {
    sum_.md5 = digest_.finish_hex();
    return sum_;
  }

  Result<void> keep(const FileSum& wanted) {
    const auto found = sum();
    if (found.size != wanted.size || (!wanted.md5.empty() && found.md5 != wanted.md5))
      return fail(Code::kCorrupt, fmt::format("{} has {} bytes with MD5 {} instead of {} with {}",
                                              path_, found.size, found.md5, wanted.size,
                                              wanted.md5.empty() ? "any MD5" : wanted.md5));
    return file_->commit();
  }

 private:
  BlockStore& store_;
  std::string path_;
  std::optional<base::AtomicFile> file_;
  Digest digest_;
  FileSum sum_{};
};

Error stopped() { return {Code::kInterrupted, "the transfer was stopped"}; }

// Steps until nothing moves any more; the file is expected to have `size` bytes. `job` is destroyed
// by the caller, on the pool.
template <typename Job>
Task<> run_steps(async::Pool& pool, Job& job, size_t piece, int64_t size, const Transfer& how) {
  for (int64_t done = 0;; done += int64_t(piece)) {
    const auto next = std::min(int64_t(piece), size - done);
    for (auto* limit : how.limits)
      if (next > 0) co_await limit->acquire(next, how.should_stop);  // no result
    if (how.should_stop && how.should_stop()) co_return fail(stopped());
    const auto moved = CO_TRY(co_await pool.run([&job] { return job.step(); }));
    if (moved == 0) co_return Result<void>();
    if (how.on_bytes) how.on_bytes(moved);
  }
}

}  // namespace

bool is_transient(const Error& error) {
  return error.code() == Code::kUnreachable || error.code() == Code::kTimeout ||
         error.code() == Code::kBusy;
}

bool AsyncStore::Retries::may_help(const Error& error) {
  if (is_transient(error)) return true;
  // It may have changed in transit.
  return error.code() == Code::kCorrupt && ++corrupt_ <= store_.retry_.tries_of_corrupt;
}

Routine<bool> AsyncStore::Retries::pause() {
  const auto& retry = store_.retry_;
  auto& clock = store_.clock_;
  if (!deadline_) deadline_ = Deadline::in(clock, retry.retry_for);
  const auto state = co_await asio::this_coro::cancellation_state;
  if (deadline_->passed(clock) || state.cancelled() != asio::cancellation_type::none)
    co_return false;
  const auto length = async::back_off(tries_++, retry.first_pause, retry.longest_pause);
  co_await clock.sleep_for(length);  // no result
  co_return true;
}

template <typename Move>
auto AsyncStore::transfer(std::string doing, Transfer how, Move move) const -> decltype(move(how)) {
  using T = typename decltype(move(how))::value_type::value_type;
  int64_t reported = 0;
  const auto on_bytes = std::move(how.on_bytes);
  how.on_bytes = [&](int64_t bytes) {
    reported += bytes;
    if (on_bytes) on_bytes(bytes);
  };
  // outlives: this frame, until the last try has ended.
  auto attempt = [&]() -> decltype(move(how)) {
    if (on_bytes && reported != 0)
      on_bytes(-std::exchange(reported, 0));  // bytes of the failed attempt do not count
    co_return co_await move(how);
  };
  auto out = co_await with_retries<T>(attempt, how.should_stop);
  co_return in_context(std::move(out), doing);
}

Task<std::vector<Entry>> AsyncStore::list(std::string path) const {
  co_return co_await call([&] { return store_->list(path); });
}

Task<std::optional<Entry>> AsyncStore::find(std::string path) const {
  co_return co_await call([&]() -> Result<std::optional<Entry>> {
    auto found = store_->stat(path);
    if (!found && found.error().code() == Code::kNotFound) return std::nullopt;
    return found;
  });
}

Task<std::string> AsyncStore::read_file(std::string path, size_t most_bytes) const {
  auto bytes = CO_TRY(co_await call([&] { return store_->read(path, 0, most_bytes + 1); }));
  if (bytes.size() > most_bytes)
    co_return fail(Code::kTooLarge, fmt::format("{}: {} has more than {} bytes",
                                                store_->description(), path, most_bytes));
  co_return bytes;
}

Task<> AsyncStore::write_file(std::string path, std::string bytes) const {
  auto written = co_await call([&]() -> Result<void> {
    auto upload = TRY(store_->create(path));
    TRY(upload->append(bytes));
    return upload->finish(md5_hex(bytes));
  });
  co_return in_context(std::move(written), "writing " + path);
}

Task<> AsyncStore::remove(std::string path) const {
  co_return co_await call([&] { return store_->remove(path); });
}

std::optional<AsyncStore> AsyncStore::without_sidecars() const {
  std::shared_ptr<BlockStore> store = store_->without_sidecars();
  if (!store) return std::nullopt;
  return AsyncStore(std::move(store), pool_, clock_, retry_);
}

Task<> AsyncStore::write_sidecar(std::string path, std::string md5) const {
  co_return co_await call([&] { return store_->write_sidecar(path, md5); });
}

Task<std::optional<FileSum>> AsyncStore::prove(std::string local_path, std::string path,
                                               const Transfer& how) const {
  auto job = CO_TRY(co_await pool_.run([&] { return ProofJob::start(*store_, local_path, path); }));
  CO_TRY(
      co_await run_steps(pool_, *job, store_->chunk_bytes(), 0, {.should_stop = how.should_stop}));
  co_return co_await pool_.run([&] { return job->finish(); });
}

Task<Uploaded> AsyncStore::upload_once(std::string local_path, std::string path,
                                       const Transfer& how) const {
  auto found = co_await find(path);
  if (!found && found.error().code() != Code::kCorrupt) co_return fail(std::move(found.error()));
  const auto there = found ? *found : std::nullopt;  // a damaged file is replaced
  std::error_code error;
  const auto size = std::filesystem::file_size(local_path, error);
  if (there && !there->is_folder && !error && there->size == int64_t(size)) {
    if (auto sum = CO_TRY(co_await prove(local_path, path, how))) {
      if (how.on_bytes) how.on_bytes(sum->size);
      co_return Uploaded{.sum = *sum, .was_there = true};
    }
  }
  auto job = CO_TRY(co_await pool_.run(
      [&] { return UploadJob::start(*store_, local_path, path, how.may_take); }));
  auto moved = co_await run_steps(pool_, *job, store_->chunk_bytes(), int64_t(size), how);
  // Giving it up may block too.
  co_return co_await pool_.run([&, job = std::move(job)]() mutable -> Result<Uploaded> {
    auto gone = std::move(job);
    TRY(std::move(moved));
    return Uploaded{.sum = TRY(gone->finish())};
  });
}

Task<Uploaded> AsyncStore::upload(std::string local_path, std::string path, Transfer how) const {
  co_return co_await transfer("uploading " + path, std::move(how), [&](const Transfer& counted) {
    return upload_once(local_path, path, counted);
  });
}

Task<> AsyncStore::download_once(std::string path, std::string local_path, FileSum wanted,
                                 const Transfer& how) const {
  auto job = std::make_unique<ReadJob>(*store_, path);
  CO_TRY(co_await pool_.run([&] { return job->write_to(local_path); }));
  auto moved = co_await run_steps(pool_, *job, store_->chunk_bytes(), wanted.size, how);
  co_return co_await pool_.run([&, job = std::move(job)]() mutable -> Result<void> {
    auto gone = std::move(job);
    TRY(std::move(moved));
    return gone->keep(wanted);
  });
}

Task<> AsyncStore::download(std::string path, std::string local_path, FileSum wanted,
                            Transfer how) const {
  co_return co_await transfer("downloading " + path, std::move(how), [&](const Transfer& counted) {
    return download_once(path, local_path, wanted, counted);
  });
}

Task<FileSum> AsyncStore::sum_once(std::string path, const Transfer& how) const {
  ReadJob job(*store_, path);
  CO_TRY(co_await run_steps(pool_, job, store_->chunk_bytes(), 0, how));
  co_return job.sum();
}

Task<FileSum> AsyncStore::sum(std::string path, Transfer how) const {
  co_return co_await transfer("reading " + path, std::move(how),
                              [&](const Transfer& counted) { return sum_once(path, counted); });
}

Task<FileSum> AsyncStore::sum_local(std::string local_path) const {
  co_return co_await pool_.run([&]() -> Result<FileSum> {
    auto file = TRY(base::LocalFile::open(local_path));
    Digest digest;
    FileSum sum;
    while (true) {
      const auto bytes = TRY(file.read(sum.size, store_->chunk_bytes()));
      if (bytes.empty()) break;
      digest.feed(bytes);
      sum.size += int64_t(bytes.size());
    }
    sum.md5 = digest.finish_hex();
    return sum;
  });
}

}  // namespace pegmove::blockstore
