#include "relay/relay_metrics.h"

namespace pegmove::relay {
namespace {

using metrics::Kind;

metrics::MetricInfo counter(std::string_view name, std::string_view unit,
                            std::string_view description) {
  return {.name = name, .kind = Kind::kCounter, .unit = unit, .description = description};
}

metrics::MetricInfo gauge(std::string_view name, std::string_view unit,
                          std::string_view description) {
  return {.name = name, .kind = Kind::kGauge, .unit = unit, .description = description};
}

}  // namespace

RelayMetrics::RelayMetrics(metrics::Entity& entity)
    : requests(entity.counter(counter("requests", "Requests", "DUPLICATE requests of the source"))),
      answered_ok(entity.counter(
          counter("requests_done", "Requests", "Requests that the target has whole"))),
      answered_busy(entity.counter(
          counter("requests_put_off", "Requests", "Requests that were answered ERR_BUSY"))),
      answered_state(entity.counter(
          counter("requests_not_owned", "Requests", "Requests for partitions of another relay"))),
      malformed(entity.counter(
          counter("requests_malformed", "Requests",
                  "Requests that can never be forwarded, and hold their partition up"))),
      entries(entity.counter(
          counter("forwarded_entries", "Entries", "Writes that the target has carried out"))),
      superseded_rows(entity.counter(
          counter("superseded_rows", "Rows",
                  "Rows that were left out, since a later one has the same key and time"))),
      failed_attempts(entity.counter(
          counter("failed_attempts", "Attempts", "Attempts to forward that failed"))),
      doubts(entity.counter(counter("unknown_outcomes", "Attempts",
                                    "Attempts to forward whose outcome was not known"))),
      forward_time_us(entity.percentile({.name = "forward_time_us",
                                         .kind = Kind::kPercentile,
                                         .unit = "MicroSeconds",
                                         .description = "From a request to its answer ERR_OK"})),
      in_flight(entity.gauge(gauge("in_flight", "Requests", "Requests that are being forwarded"))),
      in_doubt(entity.gauge(gauge("in_doubt", "Requests",
                                  "Requests that hold up others until their outcome is known"))),
      owned_partitions(
          entity.gauge(gauge("owned_partitions", "Partitions", "Source partitions of this relay"))),
      sealed(entity.gauge(gauge("sealed", "Flags", "1: no new requests are taken"))),
      problem(entity.gauge(gauge("problem", "Flags", "1: GET /relay shows a problem"))),
      zookeeper_connected(entity.gauge(
          gauge("zookeeper_connected", "Flags", "1: there is a connection to ZooKeeper"))) {}

}  // namespace pegmove::relay
