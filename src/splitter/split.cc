#include "splitter/split.h"

#include <fmt/format.h>
#include <rocksdb/cache.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "async/all.h"
#include "async/for_each.h"
#include "base/local_file.h"
#include "base/units.h"
#include "blockstore/path.h"
#include "record/hash.h"
#include "record/key.h"
#include "splitter/unit_output.h"

namespace pegmove::splitter {
namespace {

namespace fs = std::filesystem;

using blockstore::AsyncStore;
using Sources = std::vector<std::unique_ptr<CheckpointRows>>;

constexpr int64_t kMiB = 1 << 20;
constexpr int64_t kMemoryOfWriter = 2 * kMiB;  // buffers and index of a file that is written
constexpr int64_t kMemoryOfCache = 16 * kMiB;  // index blocks of what is read
constexpr int64_t kLeastReadahead = 64 << 10, kMostReadahead = 4 * kMiB;  // of one file
constexpr int64_t kLeastFileBytes = kMiB;
constexpr int64_t kBytesOfUnit = int64_t{1} << 30;  // work that a kill may lose
constexpr int64_t kLeastBytesOfUnit = 16 * kMiB;  // smaller ones are not worth the cost of opening
constexpr size_t kPartitionsAtOnce = 16;
constexpr int64_t kRowsAStep = 50'000;

void tell(const backup::FailpointListener& listener, std::string_view step) {
  if (listener) listener(step);
}

std::string place_text(const SplitSource& source) {
  return fmt::format("{}: {}", source.store.store().description(), source.place.table_folder());
}

Task<std::unique_ptr<CheckpointRows>> open_source(const SplitSource& source, int32_t partition,
                                                  std::shared_ptr<rocksdb::Cache> cache) {
  auto checkpoint = CO_TRY(co_await backup::read_checkpoint(source.store, source.place, partition));
  auto opened = co_await source.store.call([&] {
    return CheckpointRows::open(source.store.store(), checkpoint.folder, checkpoint.metadata,
                                cache);
  });
  co_return in_context(std::move(opened), "partition " + std::to_string(partition));
}

Task<Sources> open_sources(const SplitSource& source, std::vector<int32_t> partitions,
                           std::shared_ptr<rocksdb::Cache> cache) {
  Sources opened(partitions.size());
  CO_TRY(co_await async::for_each(
      partitions.size(), kPartitionsAtOnce, [&](size_t i) -> Task<> {  // outlives: this frame
        opened[i] = CO_TRY(co_await open_source(source, partitions[i], cache));
        co_return Result<void>();
      }));
  co_return opened;
}

// In one shard: an index block is large.
std::shared_ptr<rocksdb::Cache> make_cache(const SplitLimits& limits, int sharers) {
  const auto all = std::min(kMemoryOfCache, limits.memory_bytes / 8);
  return rocksdb::NewLRUCache(size_t(all / sharers), /*num_shard_bits=*/0);
}

// One unit more than are working has opened its sources.
int units_that_read(const SplitLimits& limits) { return std::max(1, limits.units_at_once) + 1; }

// The memory that is left for reading, shared by the streams of all units at the same time.
int64_t readahead(const SplitLimits& limits, size_t writers, int64_t streams) {
  const auto of_unit = (limits.memory_bytes - kMemoryOfCache) / std::max(1, limits.units_at_once) -
                       int64_t(writers) * kMemoryOfWriter;
  return of_unit / std::max<int64_t>(1, 2 * streams);
}

int64_t streams_of(const Sources& sources) {
  int64_t streams = 0;
  for (const auto& source : sources) streams += source->streams();
  return streams;
}

// The size of opened sources, which must outlive it; blocks.
ClassSize size_of(const Sources& sources) {
  ClassSize size;
  for (const auto& source : sources) {
    size.bytes += source->bytes();
    size.rows += source->rows();
  }
  size.bytes_before = [&sources](const std::string& key) -> Result<int64_t> {
    int64_t before = 0;
    for (const auto& source : sources) before += TRY(source->bytes_before(key));
    return before;
  };
  return size;
}

int64_t pieces_of(int64_t bytes, int32_t classes, const SplitLimits& limits) {
  const auto for_workers = (2 * limits.units_at_once + classes - 1) / classes;
  const auto for_size = (bytes + kBytesOfUnit - 1) / kBytesOfUnit;
  return std::clamp<int64_t>(std::max<int64_t>(for_workers, for_size), 1,
                             std::max<int64_t>(1, bytes / kLeastBytesOfUnit));
}

Result<void> make_empty_folder(const std::string& folder) {
  TRY(base::remove_tree(folder));
  return base::make_folders(folder);
}

// A folder that is removed with its contents.
class WorkFolder {
 public:
  explicit WorkFolder(std::string path) : path_(std::move(path)) {}
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;
  ~WorkFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class UnitRun {
 public:
  UnitRun(const SplitSource& source, const SplitTarget& target, const SplitPlan& plan, size_t unit,
          const SplitLimits& limits, const UnitEvents& events)
      : source_(source),
        plan_(plan),
        number_(unit),
        limits_(limits),
        events_(events),
        output_(target, limits, events, unit) {}

  Task<UnitResult> carry_out() {
    CO_TRY(co_await output_.begin());
    const auto last = CO_TRY(co_await work());
    CO_TRY(co_await output_.send(last));
    co_return output_.finish(counts_);
  }

 private:
  // Files are sent while the next ones are written. Returns the last ones.
  Task<std::vector<FinishedFile>> work() {
    const auto& unit = plan_.units[number_];
    auto sources = CO_TRY(co_await open_sources(source_, plan_.rules.shape.sources_of(unit.which),
                                                make_cache(limits_, units_that_read(limits_))));
    const auto permit = co_await async::Permit::take(events_.working);
    auto job = begin(std::move(sources));
    std::vector<FinishedFile> finished;
    while (!job->done()) {
      if (events_.should_stop && events_.should_stop())
        co_return fail(Code::kInterrupted, "the split was stopped");
      std::vector<FinishedFile> next;
      std::vector<Task<>> both;
      both.push_back(output_.send(finished));
      both.push_back(step(*job, next));
      CO_TRY(co_await async::all(std::move(both)));
      finished = std::move(next);
      counts_ = job->counts();
      if (events_.on_progress) events_.on_progress(counts_);
    }
    // Closing may block.
    auto foreign = job->foreign();
    CO_TRY(co_await source_.store.run([&]() -> Result<void> {
      job.reset();
      return {};
    }));
    if (!foreign.empty()) co_await find_homes(std::move(foreign));  // no result
    co_return finished;
  }

  // Notes for these foreign rows whether the partitions to which they belong have their keys. For
  // the report only, so it is bounded, and a partition that cannot be read is left out.
  Routine<> find_homes(std::vector<client::ForeignRow> foreign) {
    constexpr size_t kMostPartitions = 16;
    std::map<int32_t, std::vector<client::ForeignRow>> by_home;
    for (auto& row : foreign) {
      const auto hash = record::raw_key_hash(*record::split_key(row.key));
      by_home[record::partition_index(hash, plan_.rules.shape.sources)].push_back(std::move(row));
    }
    const auto cache = make_cache(limits_, units_that_read(limits_));
    size_t opened = 0;
    for (auto& [partition, rows] : by_home) {
      if (opened++ == kMostPartitions || (events_.should_stop && events_.should_stop())) co_return;
      auto home = co_await open_source(source_, partition, cache);
      if (!home) continue;
      // What was read before an error counts.
      (void)co_await source_.store.run([&]() -> Result<void> {
        for (auto& row : rows) {
          using enum client::ForeignRow::Home;
          row.home = TRY((*home)->has_row(row.key, plan_.rules.now_ts)) ? kHasRow : kHasNone;
        }
        home->reset();  // closing may block
        return {};
      });
      for (const auto& row : rows) counts_.foreign.note(row);
    }
  }

  std::unique_ptr<UnitJob> begin(Sources sources) const {
    const auto& unit = plan_.units[number_];
    const auto writers = plan_.rules.shape.targets_of(unit.which).size();
    const auto most = std::min(kMostReadahead, int64_t(source_.store.store().chunk_bytes()));
    const auto ahead =
        std::clamp(readahead(limits_, writers, streams_of(sources)), kLeastReadahead, most);
    return std::make_unique<UnitJob>(plan_.rules, unit, int(number_), std::move(sources),
                                     output_.folder(), size_t(ahead));
  }

  Task<> step(UnitJob& job, std::vector<FinishedFile>& finished) {
    finished = CO_TRY(
        co_await source_.store.call([&] { return job.step(kRowsAStep); }, events_.should_stop));
    co_return Result<void>();
  }

  const SplitSource& source_;
  const SplitPlan& plan_;
  size_t number_;
  const SplitLimits& limits_;
  const UnitEvents& events_;
  UnitOutput output_;
  RowCounts counts_;
};

// The files of a partition in the order of the units, which is that of their keys.
using FilesByPartition = std::map<int32_t, std::vector<blockstore::StoredFile>>;

// The arguments of finish_partition() besides the partition.
struct Finishing {
  const SplitTarget& target;
  std::string folder;  // on this machine, for files of empty partitions
  bool for_old_servers;
};

Task<blockstore::StoredFile> send_empty(const Finishing& finishing, int32_t partition) {
  const auto& target = finishing.target;
  auto file = CO_TRY(co_await target.store.run([&] {
    return write_empty_partition(partition, finishing.folder, finishing.for_old_servers);
  }));
  auto sent =
      CO_TRY(co_await target.store.upload(file.path, target.place.file(partition, file.name), {}));
  co_return blockstore::StoredFile{.name = file.name, .size = sent.sum.size, .md5 = sent.sum.md5};
}

Task<> finish_partition(const Finishing& finishing, int32_t partition,
                        std::vector<blockstore::StoredFile> files) {
  const auto& target = finishing.target;
  if (files.empty()) files.push_back(CO_TRY(co_await send_empty(finishing, partition)));
  std::set<std::string> wanted{std::string(bulkload::kMetadata)};
  for (const auto& file : files) wanted.insert(file.name);
  for (const auto& entry :
       CO_TRY(co_await target.store.list(target.place.partition_folder(partition))))
    if (!wanted.contains(entry.name))
      CO_TRY(co_await target.store.remove(target.place.file(partition, entry.name)));
  co_return co_await target.store.write_file(target.place.metadata_file(partition),
                                             encode(bulkload::Metadata{std::move(files)}));
}

}  // namespace

Result<void> check_limits(const SplitLimits& limits, SplitRules& rules, int64_t streams) {
  const auto writers = int64_t(rules.shape.targets_of(0).size());
  const int64_t workers = std::max(1, limits.units_at_once);
  const auto mib = [](int64_t bytes) { return (bytes + kMiB - 1) / kMiB; };
  if (readahead(limits, size_t(writers), streams) < kLeastReadahead) {
    const auto needed =
        kMemoryOfCache +
        workers * (writers * kMemoryOfWriter + std::max<int64_t>(1, 2 * streams) * kLeastReadahead);
    return fail(Code::kInvalidArgument,
                fmt::format("a split that reads {} files and writes {} per worker needs {} MiB of "
                            "memory for {} workers; raise `--memory` or lower `--workers`",
                            streams, writers, mib(needed), workers));
  }
  // Each target writes one file while another one is sent; one unit more sends its last files.
  const auto files = writers * (2 * workers + 1);
  if (limits.disk_bytes / files < kLeastFileBytes)
    return fail(Code::kInvalidArgument,
                fmt::format("a split that writes {} files per worker needs {} MiB of disk for {} "
                            "workers; raise `--disk` or lower `--workers`",
                            writers, mib(files * kLeastFileBytes), workers));
  rules.most_file_bytes = std::min(rules.most_file_bytes, limits.disk_bytes / files);
  return {};
}

Task<SplitPlan> plan_split(const SplitSource& source, SplitRules rules, SplitLimits limits) {
  SplitPlan plan{.rules = std::move(rules), .units = {}};
  const auto& shape = plan.rules.shape;
  int64_t most_streams = 0;
  for (int32_t which = 0; which < shape.residue_classes(); ++which) {
    auto sources = CO_TRY(
        in_context(co_await open_sources(source, shape.sources_of(which), make_cache(limits, 1)),
                   place_text(source)));
    most_streams = std::max(most_streams, streams_of(sources));
    auto units = CO_TRY(in_context(co_await source.store.call([&] {
      const auto size = size_of(sources);
      return cut_residue_class(which, size, pieces_of(size.bytes, shape.residue_classes(), limits));
    }),
                                   place_text(source)));
    std::ranges::move(units, std::back_inserter(plan.units));
  }
  CO_TRY(check_limits(limits, plan.rules, most_streams));
  co_return plan;
}

Task<UnitResult> carry_out_unit(const SplitSource& source, const SplitTarget& target,
                                const SplitPlan& plan, size_t unit, SplitLimits limits,
                                UnitEvents events) {
  UnitRun run(source, target, plan, unit, limits, events);
  co_return in_context(co_await run.carry_out(), place_text(source));
}

Task<> finish_split(const SplitTarget& target, const SplitPlan& plan,
                    const std::vector<UnitResult>& results, SplitLimits limits,
                    backup::FailpointListener on_failpoint) {
  FilesByPartition files;
  for (const auto& result : results)
    for (const auto& file : result.files) files[file.partition].push_back(file.file);
  const WorkFolder folder(limits.work_folder + "/empty");
  CO_TRY(co_await target.store.run([&] { return make_empty_folder(folder.path()); }));
  const Finishing finishing{
      .target = target, .folder = folder.path(), .for_old_servers = plan.rules.for_old_servers};
  CO_TRY(
      co_await async::for_each(size_t(plan.rules.shape.targets), kPartitionsAtOnce, [&](size_t i) {
        return finish_partition(finishing, int32_t(i), std::move(files[int32_t(i)]));
      }));
  tell(on_failpoint, "split.metadata_written");
  CO_TRY(co_await target.store.write_file(
      target.place.info_file(),
      encode(bulkload::Info{.app_id = target.app_id,
                            .table = target.place.table,
                            .partition_count = plan.rules.shape.targets})));
  tell(on_failpoint, "split.info_written");
  co_return Result<void>();
}

}  // namespace pegmove::splitter
