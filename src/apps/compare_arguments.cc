#include "apps/compare_arguments.h"

#include <random>

#include "apps/process_ports.h"
#include "base/units.h"
#include "compare/progress_text.h"
#include "migration/verify/verify.h"

namespace pegmove::apps {

void add_compare_options(Verb& verb, CompareArguments& arguments) {
  verb.add_option("--from", arguments.from,
                  "source cluster: a name in the config file, or host:port,...")
      ->required();
  verb.add_option("--to", arguments.to, "target cluster, named as --from")->required();
  verb.add_option("--table", arguments.table, "table to compare")->required();
  verb.add_option("--to-table", arguments.to_table, "name of the target table; default: the same");
  auto* sample =
      verb.add_option("--sample", arguments.sample,
                      "compare only about this share of the rows, such as 1/64: slices of "
                      "neighbouring rows, spread over the key space. Use it for a quick check of a "
                      "large table; a difference in one place may be missed");
  verb.add_option("--seed", arguments.seed,
                  "with --sample: selects the slices; default: random. The same seed on the same "
                  "data compares the same rows")
      ->needs(sample);
  verb.add_option("--expiry-tolerance", arguments.expiry_tolerance,
                  "treat expiries as equal that differ by at most this much, such as 2s; for rows "
                  "that were written on both sides with a TTL");
  auto* live = verb.add_flag("--live", arguments.live,
                             "compare while clients write: rows that differ are read again until "
                             "they agree or are proven different");
  verb.add_option("--lag", arguments.lag,
                  "with --live: how late a write may reach the target; a difference counts when it "
                  "stays unchanged for longer")
      ->needs(live)
      ->capture_default_str();
  verb.add_option("--settle-for", arguments.settle_for,
                  "with --live: how long a row may keep changing before it is reported as neither "
                  "equal nor different")
      ->needs(live)
      ->capture_default_str();
}

Result<compare::CompareOptions> compare_options(const CompareArguments& arguments,
                                                async::milliseconds timeout) {
  compare::CompareOptions options{.table = arguments.table,
                                  .to_table = arguments.to_table,
                                  .most_listed = arguments.show,
                                  .timeout = timeout};
  if (!arguments.sample.empty()) {
    auto share = TRY(in_context(compare::parse_share(arguments.sample), "--sample"));
    std::random_device random;
    auto seed = arguments.seed.value_or((uint64_t(random()) << 32 | random()) >> 12);
    if (share < 1) options.sample = {.share = share, .seed = seed};
  }
  if (!arguments.expiry_tolerance.empty()) {
    auto tolerance =
        TRY(in_context(base::parse_duration(arguments.expiry_tolerance), "--expiry-tolerance"));
    auto seconds = tolerance.count() / 1000;
    if (seconds * 1000 != tolerance.count() || seconds > 86'400 * 365)
      return fail(Code::kInvalidArgument, "--expiry-tolerance: give whole seconds, at most a year");
    options.expiry_tolerance_s = uint32_t(seconds);
  }
  if (arguments.live) {
    options.live.emplace();
    options.live->timeout = timeout;
    options.live->lag = TRY(in_context(base::parse_duration(arguments.lag), "--lag"));
    options.live->settle_for =
        TRY(in_context(base::parse_duration(arguments.settle_for), "--settle-for"));
    if (options.live->settle_for <= options.live->lag)
      return fail(
          Code::kInvalidArgument,
          "--settle-for must be longer than --lag: otherwise no row could be proven different");
  }
  return options;
}

Task<compare::TablePair> open_tables(CommandRun& run, std::string from, std::string to,
                                     std::string table, std::string to_table) {
  run.prepare();
  const ProcessPorts ports(run);
  auto tables = CO_TRY(co_await migration::open_pair(ports.get(), std::move(from), std::move(to),
                                                     std::move(table), std::move(to_table)));
  run.begin_work();
  co_return tables;
}

std::function<void(const compare::CompareCounts&, async::milliseconds)> show_comparison(
    ProgressLine& line, std::string doing) {
  return [&line, text = compare::ProgressText(std::move(doing))](
             const compare::CompareCounts& so_far, async::milliseconds elapsed) mutable {
    line.show(text.line(so_far, elapsed));
  };
}

}  // namespace pegmove::apps
