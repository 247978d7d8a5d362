// copy_data: the current table's rows into a table that exists, perhaps on another cluster.
#include <algorithm>
#include <ostream>

#include "migration/copy.h"
#include "shell/handlers.h"
#include "shell/progress_line.h"
#include "shell/report.h"
#include "shell/session.h"

namespace pegmove::shell {
namespace {

constexpr OptionSpec kCopyOptions[] = {{'c', "target_cluster_name", true},
                                       {'a', "target_app_name", true},
                                       {'p', "partition", true},
                                       {'b', "max_batch_count", true},
                                       {'t', "timeout_ms", true},
                                       {'h', "hash_key_filter_type", true},
                                       {'x', "hash_key_filter_pattern", true},
                                       {'s', "sort_key_filter_type", true},
                                       {'y', "sort_key_filter_pattern", true},
                                       {'v', "value_filter_type", true},
                                       {'z', "value_filter_pattern", true},
                                       {'m', "max_multi_set_concurrency", true},
                                       {'o', "scan_option_batch_size", true},
                                       {'e', "no_ttl"},
                                       {'n', "no_overwrite"},
                                       {'i', "no_value"},
                                       {'g', "geo_data"},
                                       {'u', "use_multi_set"}};

// What the options that are not there would say stands in the real shell's list too; the batch
// count does not: batches are made by size here.
void echo(Session& session, const std::string& to_cluster, const std::string& to_table,
          async::milliseconds timeout) {
  session.err() << "INFO: source_cluster_name = " << session.cluster_word()
                << "\nINFO: source_app_name = " << session.settings().table
                << "\nINFO: target_cluster_name = " << to_cluster
                << "\nINFO: target_app_name = " << to_table
                << "\nINFO: partition = all\nINFO: timeout_ms = " << timeout.count()
                << "\nINFO: hash_key_filter_type = no_filter"
                   "\nINFO: sort_key_filter_type = no_filter"
                   "\nINFO: value_filter_type = no_filter"
                   "\nINFO: no_overwrite = false\nINFO: no_value = false\n";
}

// Both tables must be there before anything begins.
Outcome check_tables(Session& session, client::Cluster& target, const std::string& to_table) {
  auto found = session.run(target.table_config(to_table, {0}, session.meta_deadline()));
  if (!found) {
    session.err() << "ERROR: test target app failed: " << data_error_text(found.error()) << "\n";
    return Outcome::kFailed;
  }
  if (auto source = session.table(); !source) {
    session.err() << "ERROR: open source app scanner failed: " << data_error_text(source.error())
                  << "\n";
    return Outcome::kFailed;
  }
  return Outcome::kDone;
}

Outcome copy(Session& session, std::shared_ptr<client::Cluster> target,
             migration::CopyOptions options) {
  ProgressLine line(session.err());
  int64_t rows = 0;
  auto listener = [&](const migration::CopyStatus& status) {
    rows = status.progress.rows;
    line.print(status.elapsed, status.progress.lanes_done, status.partitions, rows);
  };
  auto report = session.run(migration::copy_table(
      session.cluster(), std::move(target), std::move(options), session.stop_signal(), listener));
  if (!report) {
    session.err() << "ERROR: " << data_error_text(report.error())
                  << "\nERROR: error occurred, processing terminated\n\n";
    session.out() << "Copy terminated, total " << rows << " rows.\n";
    return Outcome::kFailed;
  }
  for (size_t i = 0; i < report->partition_rows.size(); ++i)
    session.err() << "INFO: split[" << i << "]: " << report->partition_rows[i] << " rows\n";
  session.err() << "\n";
  session.out() << "Copy done, total " << report->rows << " rows.\n";
  return Outcome::kDone;
}

}  // namespace

Outcome run_copy_data(Session& session, Words words) {
  auto options = Options::parse(words, kCopyOptions);
  if (!options) return wrong_usage(session, options.error());
  for (const auto& spec : kCopyOptions)
    if (spec.letter != 'c' && spec.letter != 'a' && options->has(spec.letter))
      return not_supported(session, std::string("-") + spec.letter + "|--" + std::string(spec.name),
                           "see: pegmove copy --help");
  for (const auto& spec : {kCopyOptions[0], kCopyOptions[1]})
    if (!options->has(spec.letter))
      return wrong_usage(session,
                         Error(Code::kInvalidArgument, std::string(spec.name) + " not specified"));
  auto to_cluster = options->text('c');
  migration::CopyOptions copying{.table = session.settings().table,
                                 .to_table = options->text('a'),
                                 .into_nonempty = true,
                                 .through = migration::Through::kPlain};
  // The default outlasts a restart of a server; who typed more gets more.
  copying.timeout = std::max(copying.timeout, session.settings().timeout);
  echo(session, to_cluster, copying.to_table, copying.timeout);
  if (to_cluster == session.cluster_word() && copying.to_table == copying.table) {
    session.err() << "ERROR: source app and target app is the same\n";
    return Outcome::kFailed;
  }
  auto target = session.open_cluster(to_cluster);
  if (!target) {
    session.err() << "ERROR: get target app client failed: " << target.error().to_string() << "\n";
    return Outcome::kFailed;
  }
  auto checked = check_tables(session, **target, copying.to_table);
  if (checked != Outcome::kDone) return checked;
  return copy(session, *target, std::move(copying));
}

}  // namespace pegmove::shell
