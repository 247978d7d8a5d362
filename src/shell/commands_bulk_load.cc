// Bulk loads: start, watch, pause, restart, cancel, clear. Pegasus:
// src/shell/commands/bulk_load.cpp.
#include <ostream>

#include "bulk_load_types.h"
#include "client/bulk_loads.h"
#include "shell/handlers.h"
#include "shell/report.h"
#include "shell/session.h"

namespace pegmove::shell {
namespace {

using client::LoadControl;
using client::LoadStatus;

constexpr OptionSpec kStartOptions[] = {{'a', "app_name", true},
                                        {'c', "cluster_name", true},
                                        {'p', "file_provider_type", true},
                                        {'r', "root_path", true},
                                        {'i', "ingest_behind"}};
constexpr OptionSpec kQueryLoadOptions[] = {
    {'a', "app_name", true}, {'i', "partition_index", true}, {'d', "detailed"}};
constexpr OptionSpec kNameOptions[] = {{'a', "app_name", true}};
constexpr OptionSpec kCancelOptions[] = {{'a', "app_name", true}, {'f', "forced"}};

// False, and a line, when one of them was left out.
bool are_given(Session& session, const Options& options,
               std::initializer_list<std::pair<char, const char*>> needed) {
  for (const auto& [letter, name] : needed) {
    if (!options.text(letter).empty()) continue;
    session.err() << name << " should not be empty\n";
    return false;
  }
  return true;
}

std::string short_name(wire::bulk_load_status status) {
  const auto found = wire::_bulk_load_status_VALUES_TO_NAMES.find(status);
  return found == wire::_bulk_load_status_VALUES_TO_NAMES.end() ? "BLS_INVALID" : found->second;
}

std::string short_name(wire::ingestion_status status) {
  const auto found = wire::_ingestion_status_VALUES_TO_NAMES.find(status);
  return found == wire::_ingestion_status_VALUES_TO_NAMES.end() ? "IS_INVALID" : found->second;
}

const char* yes_or_no(bool value) { return value ? "YES" : "NO"; }

bool is_over(wire::bulk_load_status status) {
  return status == wire::BLS_SUCCEED || status == wire::BLS_FAILED || status == wire::BLS_CANCELED;
}

// Of a partition's replicas, as servers count: the missing ones have nothing yet.
int32_t percent_of(const client::LoadPartition& partition, int32_t max_replica_count) {
  int32_t sum = 0;
  for (const auto& replica : partition.replicas) sum += replica.percent;
  return sum / std::max(1, max_replica_count);
}

bool is_cleaned_up(const client::LoadPartition& partition) {
  for (const auto& replica : partition.replicas)
    if (!replica.is_cleaned_up) return false;
  return true;
}

Table all_partitions(const LoadStatus& status) {
  std::vector<Column> columns{{"partition_index"}, {"partition_status"}};
  const bool downloads = status.status == wire::BLS_DOWNLOADING;
  if (downloads) columns.push_back({"download_progress(%)"});
  if (is_over(status.status)) columns.push_back({"is_cleaned_up"});
  auto table = Table::with_columns("all partitions", std::move(columns));
  for (size_t i = 0; i < status.partitions.size(); ++i) {
    const auto& partition = status.partitions[i];
    std::vector<std::string> cells{std::to_string(i), short_name(partition.status)};
    if (downloads) cells.push_back(std::to_string(percent_of(partition, status.max_replica_count)));
    if (is_over(status.status)) cells.push_back(yes_or_no(is_cleaned_up(partition)));
    table.add_row(std::move(cells));
  }
  return table;
}

// The last column depends on the phase of the load.
Table single_partition(const LoadStatus& status, size_t index) {
  const char* phase = status.status == wire::BLS_DOWNLOADING ? "download_progress(%)"
                      : status.status == wire::BLS_INGESTING ? "ingestion_status"
                      : status.status == wire::BLS_PAUSING   ? "is_paused"
                                                             : "is_cleaned_up";
  auto table =
      Table::with_columns("single partition", {{"partition_index"}, {"node_address"}, {phase}});
  for (const auto& replica : status.partitions[index].replicas)
    table.add_row({std::to_string(index), replica.node,
                   status.status == wire::BLS_DOWNLOADING ? std::to_string(replica.percent)
                   : status.status == wire::BLS_INGESTING ? short_name(replica.ingestion)
                   : status.status == wire::BLS_PAUSING   ? yes_or_no(replica.is_paused)
                                                          : yes_or_no(replica.is_cleaned_up)});
  return table;
}

int32_t total_percent(const LoadStatus& status) {
  int64_t sum = 0;
  for (const auto& partition : status.partitions)
    sum += percent_of(partition, status.max_replica_count);
  return status.partitions.empty() ? 0 : int32_t(sum / int64_t(status.partitions.size()));
}

int32_t ingested_percent(const LoadStatus& status) {
  int64_t done = 0;
  for (const auto& partition : status.partitions) done += partition.status == wire::BLS_SUCCEED;
  return status.partitions.empty() ? 0 : int32_t(done * 100 / int64_t(status.partitions.size()));
}

Table summary(const LoadStatus& status, std::optional<size_t> index, bool is_detailed) {
  auto table = Table::with_values("summary");
  if (index)
    table.add_value("partition_bulk_load_status", short_name(status.partitions[*index].status));
  table.add_value("is_bulk_loading", yes_or_no(status.is_loading));
  table.add_value("app_bulk_load_status", short_name(status.status));
  if (status.status == wire::BLS_DOWNLOADING)
    table.add_value("app_total_download_progress", std::to_string(total_percent(status)));
  if (status.status == wire::BLS_INGESTING)
    table.add_value("app_total_ingestion_progress",
                    std::to_string(is_detailed && !index ? ingested_percent(status) : 0));
  return table;
}

Outcome control(Session& session, Words words, std::span<const OptionSpec> specs, LoadControl how,
                const char* verb) {
  auto options = Options::parse(words, specs);
  if (!options) return wrong_usage(session, options.error());
  if (!are_given(session, *options, {{'a', "app_name"}})) return Outcome::kWrongUsage;
  if (options->has('f')) how = LoadControl::kForceCancel;
  auto done = session.run(
      client::control_load(*session.cluster(), options->text('a'), how, session.meta_deadline()));
  if (done) {
    session.out() << verb << " bulk load succeed\n";
    return Outcome::kDone;
  }
  session.err() << verb << " bulk load failed, error=" << meta_error_text(done.error()) << "\n";
  if (how == LoadControl::kCancel &&
      done.error().wire_code() == int(wire::ErrorCode::kInvalidState))
    session.err() << "you can force cancel bulk load by using \"-f\"\n";
  return Outcome::kFailed;
}

}  // namespace

Outcome run_start_bulk_load(Session& session, Words words) {
  auto options = Options::parse(words, kStartOptions);
  if (!options) return wrong_usage(session, options.error());
  if (!are_given(session, *options,
                 {{'a', "app_name"},
                  {'c', "cluster_name"},
                  {'p', "file_provider_type"},
                  {'r', "remote_root_path"}}))
    return Outcome::kWrongUsage;
  auto started = session.run(client::start_load(*session.cluster(),
                                                {.table = options->text('a'),
                                                 .cluster = options->text('c'),
                                                 .provider = options->text('p'),
                                                 .path = options->text('r'),
                                                 .ingest_behind = options->has('i')},
                                                session.meta_deadline()));
  if (!started) {
    session.err() << "start bulk load failed, error=" << meta_error_text(started.error()) << "\n";
    return Outcome::kFailed;
  }
  session.out() << "start bulk load succeed\n";
  return Outcome::kDone;
}

Outcome run_query_bulk_load_status(Session& session, Words words) {
  auto options = Options::parse(words, kQueryLoadOptions);
  if (!options) return wrong_usage(session, options.error());
  if (!are_given(session, *options, {{'a', "app_name"}})) return Outcome::kWrongUsage;
  auto wanted = options->number('i', "partition_index", -1);
  if (!wanted) return wrong_usage(session, wanted.error());
  auto status = session.run(
      client::load_status(*session.cluster(), options->text('a'), session.meta_deadline()));
  if (!status) {
    session.err() << "query bulk load failed, error=" << meta_error_text(status.error()) << "\n";
    return Outcome::kFailed;
  }
  std::optional<size_t> index;
  if (options->has('i')) index = size_t(*wanted);
  if (index && (*wanted < 0 || *index >= status->partitions.size())) {
    session.err() << "query bulk load failed, error=ERR_INVALID_PARAMETERS [hint:\"invalid "
                     "partition index\"]\n";
    return Outcome::kFailed;
  }
  const bool is_detailed = options->has('d');
  TableSet tables;
  if (is_detailed && !index) tables.add(all_partitions(*status));
  const bool has_replicas = status->status != wire::BLS_INVALID &&
                            status->status != wire::BLS_PAUSED &&
                            status->status != wire::BLS_DOWNLOADED;
  if (is_detailed && index && has_replicas) tables.add(single_partition(*status, *index));
  tables.add(summary(*status, index, is_detailed));
  return print_tables(session, tables, {});
}

Outcome run_pause_bulk_load(Session& session, Words words) {
  return control(session, words, kNameOptions, LoadControl::kPause, "pause");
}

Outcome run_restart_bulk_load(Session& session, Words words) {
  return control(session, words, kNameOptions, LoadControl::kRestart, "restart");
}

Outcome run_cancel_bulk_load(Session& session, Words words) {
  return control(session, words, kCancelOptions, LoadControl::kCancel, "cancel");
}

Outcome run_clear_bulk_load(Session& session, Words words) {
  auto options = Options::parse(words, kNameOptions);
  if (!options) return wrong_usage(session, options.error());
  if (!are_given(session, *options, {{'a', "app_name"}})) return Outcome::kWrongUsage;
  auto cleared = session.run(
      client::clear_load(*session.cluster(), options->text('a'), session.meta_deadline()));
  if (!cleared) {
    session.err() << "clear bulk load failed, error=" << meta_error_text(cleared.error()) << "\n";
    return Outcome::kFailed;
  }
  session.out() << "clear bulk load result succeed\n";
  return Outcome::kDone;
}

}  // namespace pegmove::shell
