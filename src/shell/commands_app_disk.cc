// app_disk: how much of the nodes' disks a table takes.
#include <fmt/format.h>

#include <cstdio>
#include <map>
#include <optional>
#include <ostream>

#include "shell/handlers.h"
#include "shell/host_name.h"
#include "shell/metrics.h"
#include "shell/report.h"
#include "shell/session.h"

namespace pegmove::shell {
namespace {

using client::TableConfig;

constexpr OptionSpec kDiskOptions[] = {
    {'d', "detailed"}, {'r', "resolve_ip"}, {'j', "json"}, {'o', "output", true}};
constexpr std::string_view kSizeMb = "rdb_total_sst_size_mb";
constexpr std::string_view kFiles = "rdb_total_sst_files";

// As C++ streams print doubles: six digits, no zeros behind them.
std::string short_number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

// What a node keeps of a partition; nothing when the node did not tell.
struct Stored {
  std::optional<double> size_mb;
  std::optional<double> files;
};
using StoredByNode = std::map<std::string, std::map<int32_t, Stored>>;

StoredByNode stored_by_node(const std::vector<NodeSample>& samples) {
  StoredByNode stored;
  for (const auto& [node, sample] : samples)
    for (const auto& entity : sample.entities) {
      auto gpid = entity.partition();
      if (gpid.app_id == 0) continue;
      auto& of = stored[node.to_string()][gpid.partition_index];
      if (entity.values.contains(kSizeMb)) of.size_mb = entity.value(kSizeMb);
      if (entity.values.contains(kFiles)) of.files = entity.value(kFiles);
    }
  return stored;
}

// The replicas of a table with their sizes; counts those that reported one.
class DiskUse {
 public:
  DiskUse(const TableConfig& config, const StoredByNode& stored, bool resolve)
      : config_(config), stored_(stored), resolve_(resolve) {
    for (const char* name : {"pidx", "ballot", "replica_count", "primary", "secondaries"})
      columns_.push_back({name});
    details_.emplace(Table::with_columns("details", columns_));
    for (size_t i = 0; i < config.partitions.size(); ++i) add(int32_t(i), config.partitions[i]);
  }

  Table result(const std::string& name) const {
    auto replicas = int64_t(config_.partition_count) * config_.partitions.front().max_replica_count;
    auto table = Table::with_values("result");
    table.add_value("app_name", name);
    table.add_value("app_id", std::to_string(config_.app_id));
    table.add_value("partition_count", std::to_string(config_.partition_count));
    table.add_value("max_replica_count",
                    std::to_string(config_.partitions.front().max_replica_count));
    table.add_value("disk_used_for_primary_replicas(MB)", format_double(primaries_mb_));
    table.add_value("disk_used_for_all_replicas(MB)", format_double(all_mb_));
    table.add_value("partitions not counted", not_counted(primaries_, config_.partition_count));
    table.add_value("replicas not counted", not_counted(replicas_, replicas));
    return table;
  }
  const Table& details() const { return *details_; }

 private:
  static std::string not_counted(int counted, int64_t all) {
    return fmt::format("{}/{}", all - counted, all);
  }

  void add(int32_t index, const client::PartitionInfo& partition) {
    bool has_primary = partition.primary.port != 0;
    std::string primary = "-", secondaries;
    if (has_primary) {
      auto [text, size_mb] = describe(partition.primary, index);
      primary = text;
      if (size_mb) ++primaries_;
      primaries_mb_ += size_mb.value_or(0);
    }
    for (const auto& node : partition.secondaries)
      secondaries += (secondaries.empty() ? "" : ",") + describe(node, index).first;
    details_->add_row({std::to_string(index), std::to_string(partition.ballot),
                       fmt::format("{}/{}", partition.secondaries.size() + (has_primary ? 1 : 0),
                                   partition.max_replica_count),
                       primary, "[" + secondaries + "]"});
  }

  // "node(size,#files)", and the size.
  std::pair<std::string, std::optional<double>> describe(const net::HostPort& node, int32_t index) {
    Stored stored;
    if (auto of = stored_.find(node.to_string()); of != stored_.end())
      if (auto found = of->second.find(index); found != of->second.end()) stored = found->second;
    if (stored.size_mb) ++replicas_;
    all_mb_ += stored.size_mb.value_or(0);
    auto text = node_text(node, resolve_) + "(" +
                (stored.size_mb ? short_number(*stored.size_mb) : "-") + "," +
                (stored.files ? "#" + short_number(*stored.files) : "-") + ")";
    return {text, stored.size_mb};
  }

  const TableConfig& config_;
  const StoredByNode& stored_;
  bool resolve_;
  std::vector<Column> columns_;
  std::optional<Table> details_;
  double primaries_mb_ = 0, all_mb_ = 0;
  int primaries_ = 0, replicas_ = 0;  // that reported their size
};

}  // namespace

Outcome run_app_disk(Session& session, Words words) {
  auto options = Options::parse(words, kDiskOptions);
  if (!options) return wrong_usage(session, options.error());
  if (options->rest().empty()) return Outcome::kWrongUsage;
  const auto& name = options->rest().front();
  auto config = session.run(session.cluster()->table_config(name, {}, session.meta_deadline()));
  if (!config) {
    session.err() << "ERROR: list app " << name
                  << " failed, error=" << meta_error_text(config.error()) << "\n";
    return Outcome::kFailed;
  }
  MetricsQuery query{.types = {"replica"},
                     .names = {kFiles, kSizeMb},
                     .attributes = {"table_id", std::to_string(config->app_id)}};
  auto samples =
      session.run(sample_nodes(session.cluster(), query, "sst", session.meta_deadline()));
  if (!samples) {
    if (!metrics_failed(session, samples.error()))
      session.err() << "ERROR: get replica server node list failed: "
                    << meta_error_text(samples.error()) << "\n";
    return Outcome::kFailed;
  }
  TableSet tables;
  auto parameters = Table::with_values("parameters");
  parameters.add_value("app_name", name);
  if (options->has('o')) parameters.add_value("out_file", options->text('o'));
  parameters.add_value("detailed", options->has('d') ? "true" : "false");
  tables.add(std::move(parameters));
  auto stored = stored_by_node(*samples);
  DiskUse use(*config, stored, options->has('r'));
  tables.add(use.result(name));
  if (options->has('d')) tables.add(use.details());
  return print_tables(session, tables, report_options(*options));
}

}  // namespace pegmove::shell
