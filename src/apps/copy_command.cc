#include <cstdio>
#include <nlohmann/json.hpp>

#include "apps/command.h"
#include "apps/progress_line.h"
#include "base/units.h"
#include "migration/copy.h"

namespace pegmove::apps {
namespace {

using async::milliseconds;
using base::format_count;
using base::format_duration;
using base::format_size;

// What --through takes.
constexpr const char* kPlain = "plain";
constexpr const char* kDuplicate = "duplicate";

struct CopyArguments {
  CommonOptions common;
  std::string from, to, table, to_table;
  bool create = false;
  int32_t partitions = 0;
  std::string through = kPlain;
  int duplicate_cluster_id = 0;

  bool duplicates() const { return through == kDuplicate; }
};

// What --through duplicate writes with: minutes in the past, since real servers abort on a time
// that is later than their clock.
client::DuplicateWrite duplicate_write(const CopyArguments& arguments, const Clock& clock) {
  constexpr auto kSafety = std::chrono::minutes(10);
  return {.cluster_id = int8_t(arguments.duplicate_cluster_id),
          .timestamp_us = clock.unix_us() - std::chrono::microseconds(kSafety).count(),
          .verify_timetag = false};
}

double per_second(int64_t count, milliseconds time) {
  return time.count() > 0 ? double(count) * 1000 / double(time.count()) : 0;
}

std::string rates(int64_t rows, int64_t bytes, milliseconds time) {
  return format_count(uint64_t(per_second(rows, time))) + " rows/s, " +
         format_size(uint64_t(per_second(bytes, time))) + "/s";
}

std::string progress_text(const migration::CopyStatus& status, milliseconds since_last,
                          int64_t rows_before, int64_t bytes_before) {
  const auto& progress = status.progress;
  std::string text = format_count(uint64_t(progress.rows)) + " rows, " +
                     rates(progress.rows - rows_before, progress.bytes - bytes_before, since_last);
  if (status.expected_rows && *status.expected_rows > 0) {
    auto left = std::max<int64_t>(*status.expected_rows - progress.rows, 0);
    auto speed = per_second(progress.rows, status.elapsed);
    text += ", " +
            std::to_string(std::min<int64_t>(100, progress.rows * 100 / *status.expected_rows)) +
            "%";
    if (speed > 0)
      text += ", ETA " + format_duration(milliseconds(int64_t(double(left) * 1000 / speed)));
  }
  return text + ", partitions " + std::to_string(progress.lanes_done) + "/" +
         std::to_string(status.partitions);
}

migration::CopyListener show_on(ProgressLine& line) {
  return [&line, rows = int64_t{0}, bytes = int64_t{0},
          last = milliseconds(0)](const migration::CopyStatus& status) mutable {
    line.show("copying: " + progress_text(status, status.elapsed - last, rows, bytes));
    rows = status.progress.rows;
    bytes = status.progress.bytes;
    last = status.elapsed;
  };
}

void print_report(const migration::PreparedCopy& copy, const migration::CopyReport& report,
                  bool json) {
  if (!json) {
    std::printf(
        "Copied %s rows (%s) of table %s on %s (%d partitions) to table %s on %s (%d partitions) "
        "in %s: %s.\n",
        format_count(uint64_t(report.rows)).c_str(), format_size(uint64_t(report.bytes)).c_str(),
        copy.source->name().c_str(), copy.source->cluster().name().c_str(),
        report.source_partitions, copy.target->name().c_str(),
        copy.target->cluster().name().c_str(), report.target_partitions,
        format_duration(report.elapsed).c_str(),
        rates(report.rows, report.bytes, report.elapsed).c_str());
    return;
  }
  nlohmann::ordered_json out{{"rows", report.rows},
                             {"bytes", report.bytes},
                             {"elapsed_ms", report.elapsed.count()},
                             {"from", copy.source->cluster().name()},
                             {"table", copy.source->name()},
                             {"source_app_id", report.source_app_id},
                             {"source_partitions", report.source_partitions},
                             {"to", copy.target->cluster().name()},
                             {"to_table", copy.target->name()},
                             {"target_app_id", report.target_app_id},
                             {"target_partitions", report.target_partitions},
                             {"partition_rows", report.partition_rows}};
  std::printf("%s\n", out.dump(2).c_str());
}

Task<migration::PreparedCopy> prepare(CommandRun& run, CopyArguments arguments) {
  auto source = CO_TRY(co_await run.connect(arguments.from));
  auto target = CO_TRY(co_await run.connect(arguments.to));
  migration::CopyOptions options{.table = arguments.table,
                                 .to_table = arguments.to_table,
                                 .create = arguments.create,
                                 .timeout = run.timeout()};
  if (arguments.partitions > 0) options.partitions = arguments.partitions;
  if (arguments.duplicates())
    options.duplicate = duplicate_write(arguments, source->client().clock());
  co_return co_await migration::prepare_copy(source, target, options);
}

Result<void> check(const CopyArguments& arguments) {
  if (arguments.duplicates() == (arguments.duplicate_cluster_id > 0)) return {};
  return fail(
      Code::kInvalidArgument,
      arguments.duplicates()
          ? "--through duplicate needs --duplicate-cluster-id: the id of a cluster other than "
            "the target in the target's [duplication-group]"
          : "--duplicate-cluster-id needs --through duplicate");
}

int copy(const CopyArguments& arguments) {
  if (auto checked = check(arguments); !checked) return report(checked.error(), kUsage);
  auto run = CommandRun::start(arguments.common);
  if (!run) return report(run.error(), kUsage);
  if (auto known = (*run)->check_clusters({arguments.from, arguments.to}); !known)
    return report(known.error(), kUsage);
  (*run)->prepare();
  auto prepared = (*run)->wait_for(prepare(**run, arguments));
  if (!prepared) return report(prepared.error(), kPreflightFailed);
  (*run)->begin_work();
  auto result = [&] {
    ProgressLine line(arguments.common.quiet);
    return (*run)->wait_for(migration::copy_rows(*prepared, (*run)->stop(), show_on(line)));
  }();
  if (result) {
    print_report(*prepared, *result, arguments.common.json);
    return kDone;
  }
  int code = report(result.error());
  std::fprintf(stderr,
               "pegmove: what was copied stays; the same command %s again copies everything anew\n",
               arguments.create ? "without --create" : "run");
  return code;
}

}  // namespace

void add_copy_command(CLI::App& program, int& exit_code) {
  auto arguments = std::make_shared<CopyArguments>();
  auto* verb =
      add_verb(program, "copy",
               "Example: pegmove copy --from A --to B --table t --create --partitions 16\n\n"
               "Copies every row of a table to a table of another cluster (or of the same), row by "
               "row, expiry included. Partition counts may differ. Rows that exist in the target "
               "are overwritten, rows that only the target has stay. Stop writes to the source "
               "first, or use the result as a snapshot that is spread over the time of the copy. "
               "Prove the result with `pegmove verify`.\n\n"
               "With --through duplicate rows are written as duplication writes them, many to a "
               "request, with a time ten minutes before the start of the copy. Use it into "
               "real clusters when a write request for each row is too slow. Here, too, rows "
               "overwrite what the target has. "
               "Both clusters must stand in one [duplication-group] of the target's "
               "configuration, and the clocks must agree within minutes: real servers abort on a "
               "time later than their own. Alarms on lagging duplicated writes may go off.");
  verb->add_option("--from", arguments->from,
                   "source cluster: a name of the config file, or host:port,...")
      ->required();
  verb->add_option("--to", arguments->to, "target cluster")->required();
  verb->add_option("--table", arguments->table, "table to copy")->required();
  verb->add_option("--to-table", arguments->to_table,
                   "name of the target table; default: the same");
  auto* create =
      verb->add_flag("--create", arguments->create, "make the target table; it must not exist");
  verb->add_option("--partitions", arguments->partitions,
                   "partition count of the table that --create makes; default: the source's")
      ->needs(create)
      ->check(CLI::Range(1, 65536));
  verb->add_option("--through", arguments->through,
                   "how rows are written: plain (PUT and MULTI_PUT) or duplicate, see above")
      ->capture_default_str()
      ->check(CLI::IsMember({kPlain, kDuplicate}));
  verb->add_option("--duplicate-cluster-id", arguments->duplicate_cluster_id,
                   "with --through duplicate: the source's id in the [duplication-group] that both "
                   "clusters are configured with")
      ->check(CLI::Range(1, 127));
  add_common_options(*verb, arguments->common);
  verb->callback([arguments, &exit_code] { exit_code = copy(*arguments); });
}

}  // namespace pegmove::apps
