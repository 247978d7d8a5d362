// What a MetaProxy counts, and its text for Prometheus: under the original's names, and under our
// own for what the original does not show. Pegasus: pegasus-kv/meta-proxy (metrics/).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "metaproxy/route_table.h"
#include "wire/error_code.h"

namespace pegmove::metaproxy {

// All on one executor.
class ProxyMetrics {
 public:
  // `labels`: of every metric (metric.tags of the original).
  explicit ProxyMetrics(std::map<std::string, std::string> labels) : labels_(std::move(labels)) {}

  // `table`: one that has a route; null: any other. Clients may ask for any name, so that all those
  // are counted together, under the label "other tables".
  void count_zookeeper_read(const std::string* table) { ++of_table(table).zookeeper_reads; }
  void count_query(const std::string* table) { ++of_table(table).queries; }
  void count_error(wire::ErrorCode error) { ++errors_[std::string(wire::error_name(error))]; }

  // Version 0.0.4 of Prometheus's text format.
  std::string text(const RouteTable& routes, size_t connections, bool is_connected) const;

 private:
  struct OfTable {
    int64_t zookeeper_reads = 0;
    int64_t queries = 0;
  };
  OfTable& of_table(const std::string* table);

  std::map<std::string, std::string> labels_;
  std::map<std::string, OfTable> tables_;
  OfTable other_tables_;
  std::map<std::string, int64_t> errors_;
};

}  // namespace pegmove::metaproxy
