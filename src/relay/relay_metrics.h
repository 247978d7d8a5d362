// What a relay counts.
#pragma once

#include "metrics/registry.h"

namespace pegmove::relay {

struct RelayMetrics {
  explicit RelayMetrics(metrics::Entity& entity);

  metrics::Counter& requests;         // DUPLICATE, as they came
  metrics::Counter& answered_ok;      // the target has all of it
  metrics::Counter& answered_busy;    // the source repeats it
  metrics::Counter& answered_state;   // another relay owns the partition
  metrics::Counter& malformed;        // requests that can never be forwarded
  metrics::Counter& entries;          // that the target has carried out
  metrics::Counter& superseded_rows;  // left out: a later entry has the same key and time
  metrics::Counter& failed_attempts;  // to forward a request
  metrics::Counter& doubts;           // attempts whose outcome was not known
  metrics::Percentile& forward_time_us;
  metrics::Gauge& in_flight;  // requests that are being forwarded
  metrics::Gauge& in_doubt;   // of them: their last outcome is not known
  metrics::Gauge& owned_partitions;
  metrics::Gauge& sealed;
  metrics::Gauge& problem;  // that GET /relay shows
  metrics::Gauge& zookeeper_connected;
};

}  // namespace pegmove::relay
