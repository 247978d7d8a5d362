#include "backup/verifier.h"

#include <fmt/format.h>

#include "async/for_each.h"
#include "blockstore/digest.h"
#include "blockstore/path.h"

namespace pegmove::backup {
namespace {

using blockstore::AsyncStore;
using blockstore::join;

bool is_damage(const Error& error) {
  return error.code() == Code::kNotFound || error.code() == Code::kCorrupt ||
         error.code() == Code::kTooLarge || error.code() == Code::kInvalidArgument;
}

// Selects the same files each time; the share is of their count.
bool is_sampled(const std::string& path, double share) {
  if (share >= 1) return true;
  const auto digest = blockstore::md5_of(path);
  const auto number = (unsigned(static_cast<unsigned char>(digest[0])) << 8) |
                      static_cast<unsigned char>(digest[1]);
  return double(number) < share * 65536;
}

class Verifier {
 public:
  Verifier(const AsyncStore& store, Place place, VerifyOptions options,
           std::function<void(const VerifyReport&)> on_progress)
      : store_(store),
        place_(std::move(place)),
        options_(std::move(options)),
        on_progress_(std::move(on_progress)) {}

  Task<VerifyReport> run() {
    auto info = co_await read_info(store_, place_);
    if (!info && !is_damage(info.error())) co_return fail(std::move(info.error()));
    if (!info) add(-1, place_.info_file(), info.error().message());
    if (info && !*info && options_.has_ended)
      add(-1, place_.info_file(),
          CO_TRY(co_await why_missing(store_, place_.info_file(),
                                      "it is missing: the backup has not ended")));
    auto table = co_await read_table(store_, place_);
    if (!table && !is_damage(table.error())) co_return fail(std::move(table.error()));
    if (!table) {
      add(-1, place_.metadata_file(), table.error().message());
      co_return std::move(report_);
    }
    report_.partitions = table->partition_count;
    for (int32_t partition = 0; partition < table->partition_count; ++partition)
      CO_TRY(co_await verify_partition(partition));
    co_return std::move(report_);
  }

 private:
  Task<> verify_partition(int32_t partition) {
    auto checkpoint = co_await read_checkpoint(store_, place_, partition);
    if (!checkpoint && !is_damage(checkpoint.error()))
      co_return fail(std::move(checkpoint.error()));
    if (!checkpoint) {
      add(partition, place_.partition_folder(partition), checkpoint.error().to_string());
      co_return Result<void>();
    }
    const auto& files = checkpoint->metadata.files;
    // outlives: this frame, until all files are checked.
    auto verify = [&](size_t i) -> Task<> {
      co_return co_await verify_file(partition, checkpoint->folder, files[i]);
    };
    co_return co_await async::for_each(files.size(), options_.files_at_once, verify);
  }

  Task<> verify_file(int32_t partition, std::string folder, CheckpointFile file) {
    if (options_.should_stop && options_.should_stop())
      co_return fail(Code::kInterrupted, "the verification was stopped");
    const auto path = join(folder, file.name);
    ++report_.files;
    report_.bytes += file.size;
    auto entry = co_await store_.find(path);
    if (!entry && !is_damage(entry.error())) co_return fail(std::move(entry.error()));
    if (!entry) {
      add(partition, path, entry.error().message());
    } else if (!*entry) {
      add(partition, path, CO_TRY(co_await why_missing(store_, path, "it is missing")));
    } else if ((*entry)->size != file.size) {
      add(partition, path, fmt::format("it has {} bytes instead of {}", (*entry)->size, file.size));
    } else if (is_sampled(path, options_.share)) {
      CO_TRY(co_await read_file(partition, path, std::move(file)));
    }
    if (on_progress_) on_progress_(report_);
    co_return Result<void>();
  }

  Task<> read_file(int32_t partition, std::string path, CheckpointFile file) {
    auto sum = co_await store_.sum(path, {.should_stop = options_.should_stop});
    if (!sum && !is_damage(sum.error())) co_return fail(std::move(sum.error()));
    if (!sum) {
      add(partition, path, sum.error().message());
      co_return Result<void>();
    }
    ++report_.files_read;
    report_.bytes_read += sum->size;
    if (sum->size != file.size)
      add(partition, path,
          fmt::format("it ends after {} bytes instead of {}", sum->size, file.size));
    else if (!file.md5.empty() && sum->md5 != file.md5)
      add(partition, path, fmt::format("its MD5 is {} instead of {}", sum->md5, file.md5));
    else if (options_.on_undamaged)
      options_.on_undamaged(path, *sum);
    co_return Result<void>();
  }

  void add(int32_t partition, std::string file, std::string what) {
    ++report_.problem_count;
    if (report_.problems.size() < kMostProblems)
      report_.problems.push_back(
          {.partition = partition, .file = std::move(file), .what = std::move(what)});
  }

  const AsyncStore& store_;
  Place place_;
  VerifyOptions options_;
  std::function<void(const VerifyReport&)> on_progress_;
  VerifyReport report_;
};

}  // namespace

Task<VerifyReport> verify_table(const AsyncStore& store, Place place, VerifyOptions options,
                                std::function<void(const VerifyReport&)> on_progress) {
  Verifier verifier(store, std::move(place), std::move(options), std::move(on_progress));
  co_return co_await verifier.run();
}

}  // namespace pegmove::backup
