// Metrics of a replica about duplication, on both sides. Names, units and meaning are Pegasus's
// (src/replica/duplication/*.cpp, src/server/pegasus_write_service.cpp); descriptions are ours.
#pragma once

#include "metrics/registry.h"

namespace pegmove::server::replica {

// Refers to the entity, which must outlive it. Safe from any thread.
class DuplicationMetrics {
 public:
  explicit DuplicationMetrics(metrics::Entity& entity);

  // Source.
  metrics::Counter& log_read_mutations;
  metrics::Counter& log_read_bytes;
  metrics::Counter& shipped_successful_requests;
  metrics::Counter& shipped_failed_requests;
  metrics::Counter& shipped_bytes;
  metrics::Counter& confirmed_mutations;
  metrics::Gauge& pending_mutations;
  metrics::Gauge& pending_bytes;     // ours
  metrics::Gauge& ended_with_error;  // ours
  // Target.
  metrics::Counter& requests;
  metrics::Percentile& time_lag_ms;
  metrics::Counter& lagging_writes;
};

}  // namespace pegmove::server::replica
