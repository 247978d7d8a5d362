#include "server/replica/duplication/duplication_metrics.h"

namespace pegmove::server::replica {
namespace {

metrics::MetricInfo dup_info(std::string_view name, metrics::Kind kind, std::string_view unit,
                             std::string_view description) {
  return {.name = name, .kind = kind, .unit = unit, .description = description};
}

metrics::Counter& dup_counter(metrics::Entity& entity, std::string_view name, std::string_view unit,
                              std::string_view description) {
  return entity.counter(dup_info(name, metrics::Kind::kCounter, unit, description));
}

}  // namespace

DuplicationMetrics::DuplicationMetrics(metrics::Entity& entity)
    : log_read_mutations(dup_counter(entity, "dup_log_read_mutations", "Mutations",
                                     "Mutations read for other clusters")),
      log_read_bytes(
          dup_counter(entity, "dup_log_read_bytes", "Bytes", "Their requests' bodies, in bytes")),
      shipped_successful_requests(dup_counter(entity, "dup_shipped_successful_requests", "Requests",
                                              "DUPLICATE requests that another cluster carried "
                                              "out")),
      shipped_failed_requests(dup_counter(entity, "dup_shipped_failed_requests", "Requests",
                                          "DUPLICATE requests that failed and were repeated")),
      shipped_bytes(
          dup_counter(entity, "dup_shipped_bytes", "Bytes", "Bodies of successful requests")),
      confirmed_mutations(dup_counter(entity, "dup_confirmed_mutations", "Mutations",
                                      "Decrees that other clusters have confirmed")),
      pending_mutations(entity.gauge(dup_info("dup_pending_mutations", metrics::Kind::kGauge,
                                              "Mutations", "Decrees not confirmed yet"))),
      pending_bytes(entity.gauge(dup_info("dup_pending_bytes", metrics::Kind::kGauge, "Bytes",
                                          "Bodies of writes that wait for other clusters"))),
      ended_with_error(
          entity.gauge(dup_info("dup_ended_with_error", metrics::Kind::kGauge, "Duplications",
                                "Duplications whose log has a hole or is damaged"))),
      requests(dup_counter(entity, "dup_requests", "Requests",
                           "DUPLICATE requests of other clusters that were carried out")),
      time_lag_ms(
          entity.percentile(dup_info("dup_time_lag_ms", metrics::Kind::kPercentile, "MilliSeconds",
                                     "From a write on another cluster to its arrival here"))),
      lagging_writes(dup_counter(entity, "dup_lagging_writes", "Requests",
                                 "Writes of other clusters that arrived later than "
                                 "dup_lagging_write_threshold_ms")) {
  // Holes end a duplication here, with an error: nothing is skipped or lost.
  dup_counter(entity, "dup_log_file_load_failed_count", "Loads", "Always 0");
  dup_counter(entity, "dup_log_file_load_skipped_bytes", "Bytes", "Always 0");
  entity.gauge(
      dup_info("dup_recent_lost_mutations", metrics::Kind::kGauge, "Mutations", "Always 0"));
}

}  // namespace pegmove::server::replica
