// count_data without options: what the partitions' databases estimate, at no cost.
#include <ostream>

#include "shell/handlers.h"
#include "shell/metrics.h"
#include "shell/report.h"
#include "shell/session.h"

namespace pegmove::shell {
namespace {

constexpr std::string_view kEstimate = "rdb_estimated_keys";

// By partition; of primaries alone.
Task<std::vector<double>> estimate(std::shared_ptr<client::Cluster> cluster, std::string table,
                                   Deadline deadline) {
  auto config = CO_TRY(co_await cluster->table_config(table, {}, deadline));
  auto id = std::to_string(config.app_id);
  MetricsQuery query{.types = {"replica"}, .names = {kEstimate}, .attributes = {"table_id", id}};
  auto samples = CO_TRY(co_await sample_nodes(
      cluster, query, "rdb_estimated_keys for table(id=" + id + ")", deadline));
  std::vector<double> counts(config.partitions.size());
  for (const auto& [node, sample] : samples)
    for (const auto& entity : sample.entities) {
      auto gpid = entity.partition();
      auto index = size_t(gpid.partition_index);
      if (gpid.app_id == config.app_id && index < counts.size() &&
          config.partitions[index].primary == node)
        counts[index] = entity.value(kEstimate);
    }
  co_return counts;
}

}  // namespace

Outcome run_count_estimate(Session& session) {
  auto counts =
      session.run(estimate(session.cluster(), session.settings().table, session.meta_deadline()));
  if (!counts) {
    if (!metrics_failed(session, counts.error()))
      session.err() << "ERROR: get rdb_estimated_keys stats failed: "
                    << meta_error_text(counts.error()) << "\n";
    return Outcome::kFailed;
  }
  auto table = Table::with_columns("count_data", {{"pidx"}, {"estimate_count"}});
  double total = 0;
  for (size_t i = 0; i < counts->size(); ++i) {
    table.add_row({std::to_string(i), format_double((*counts)[i])});
    total += (*counts)[i];
  }
  table.add_row({total_name(counts->size()), format_double(total)});
  session.out() << table.to_text();
  return Outcome::kDone;
}

}  // namespace pegmove::shell
