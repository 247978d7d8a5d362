#include "migration/split/split_scan.h"

#include "async/all.h"
#include "compare/merged_scan.h"
#include "record/hash.h"
#include "record/key.h"
#include "record/value.h"
#include "splitter/residue_class_files.h"
#include "splitter/unit_output.h"

namespace pegmove::migration {
namespace {

using splitter::FinishedFile;

constexpr size_t kMostRows = 4'000;
constexpr size_t kMostBatchBytes = 2 << 20;
constexpr async::milliseconds kMetaTimeout{30'000};

// A row, kept until it is written.
struct KeptRow {
  std::string key, stored;
};

class ScanRun {
 public:
  ScanRun(std::shared_ptr<client::Table> table, const splitter::SplitTarget& target,
          const splitter::SplitPlan& plan, size_t unit, const splitter::SplitLimits& limits,
          const splitter::UnitEvents& events)
      : rules_(plan.rules),
        target_(target),
        events_(events),
        output_(target, limits, events, unit),
        files_(rules_, plan.units[unit].which, int(unit), output_.folder()),
        table_(std::move(table)),
        scan_(table_, rules_.shape.sources_of(plan.units[unit].which), {}) {}

  Task<splitter::UnitResult> carry_out() {
    CO_TRY(co_await output_.begin());
    const auto permit = co_await async::Permit::take(events_.working);
    std::vector<FinishedFile> finished;
    while (true) {
      if (events_.should_stop && events_.should_stop())
        co_return fail(Code::kInterrupted, "the split was stopped");
      auto rows = CO_TRY(co_await gather());
      const bool is_last = rows.empty();
      std::vector<FinishedFile> next;
      std::vector<Task<>> both;
      both.push_back(output_.send(finished));
      both.push_back(write(rows, next));
      CO_TRY(co_await async::all(std::move(both)));
      finished = std::move(next);
      if (events_.on_progress) events_.on_progress(counts());
      if (is_last) break;
    }
    CO_TRY(co_await output_.send(finished));
    CO_TRY(co_await table_->router().check_still_whole(
        rules_.shape.sources, Deadline::in(table_->cluster().client().clock(), kMetaTimeout)));
    co_return output_.finish(counts());
  }

 private:
  // The next rows; empty at the end.
  Task<std::vector<KeptRow>> gather() {
    std::vector<KeptRow> rows;
    for (size_t bytes = 0; rows.size() < kMostRows && bytes < kMostBatchBytes;) {
      const auto* row = scan_.advance_if_ready();
      if (!row) row = CO_TRY(co_await scan_.advance());
      if (!row) break;
      std::string stored;
      record::append_value_header(stored, rules_.data_version, row->expire_ts, 0);
      stored.append(row->value);
      bytes += row->key.size() + stored.size();
      rows.push_back({std::string(row->key), std::move(stored)});
    }
    foreign_ += rows.empty() ? scan_.take_foreign() : scan_.take_foreign(rows.back().key);
    co_return rows;
  }

  splitter::RowCounts counts() const {
    auto counts = files_.counts();
    counts.read += foreign_.rows;
    counts.foreign += foreign_;
    return counts;
  }

  Task<> write(const std::vector<KeptRow>& rows, std::vector<FinishedFile>& finished) {
    co_return co_await target_.store.run([&]() -> Result<void> {
      for (const auto& row : rows) TRY(files_.add(as_source_row(row), finished));
      return rows.empty() ? files_.finish(finished) : Result<void>();
    });
  }

  // The scan has left out foreign rows.
  splitter::SourceRow as_source_row(const KeptRow& row) const {
    const auto parts = record::split_key(row.key);
    const auto partition =
        parts ? record::partition_index(record::raw_key_hash(*parts), rules_.shape.sources) : 0;
    return {.key = row.key,
            .stored = row.stored,
            .data_version = rules_.data_version,
            .partition = partition};
  }

  const splitter::SplitRules& rules_;
  const splitter::SplitTarget& target_;
  const splitter::UnitEvents& events_;
  splitter::UnitOutput output_;
  splitter::ResidueClassFiles files_;
  std::shared_ptr<client::Table> table_;  // shared with its scans
  compare::MergedScan scan_;
  client::ForeignRows foreign_;
};

}  // namespace

Task<splitter::UnitResult> scan_unit(std::shared_ptr<client::Table> table,
                                     const splitter::SplitTarget& target,
                                     const splitter::SplitPlan& plan, size_t unit,
                                     splitter::SplitLimits limits, splitter::UnitEvents events) {
  ScanRun run(std::move(table), target, plan, unit, limits, events);
  co_return co_await run.carry_out();
}

}  // namespace pegmove::migration
