// What is known of both sides before a run: gather() fills it, the checks read it.
#pragma once

#include <fmt/format.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "client/cluster.h"
#include "inspect/server_answers.h"

namespace pegmove::inspect {

// Bounds of how far a server's clock is ahead of this machine's: the server's time was read between
// the request and the reply.
struct ClockOffset {
  int64_t low_us = 0;
  int64_t high_us = 0;
};

// One replica server. Facts that it did not report are missing, and `silent` says why.
struct NodeFacts {
  std::string node;  // "host:port"
  std::optional<ServerVersion> version{};
  std::optional<ClockOffset> clock{};
  std::optional<ServerConfig> config{};
  std::map<int32_t, int> data_versions{};  // of the table's partitions
  std::optional<int64_t> atomic_writes{};  // on the table, since the server started
  std::vector<std::string> silent{};       // "GET /version: no whole reply in time"
};

enum class Rows { kNotAsked, kNone, kSome, kUnknown };

struct PartitionFacts {
  bool has_primary = false;
  Rows rows = Rows::kNotAsked;
  std::optional<Error> error{};  // why the rows are not known
  int64_t sampled = 0;           // rows that were looked at, at the beginning
  int64_t foreign = 0;           // of these (client/foreign_rows.h)
};

struct SideFacts {
  std::string cluster;  // its name
  std::string table;
  std::optional<Error> unreachable{};        // then nothing else is known
  std::optional<client::TableInfo> info{};   // nullopt: the table does not exist
  std::vector<PartitionFacts> partitions{};  // of the table
  bool is_being_split = false;               // then its rows are not looked at
  std::vector<NodeFacts> nodes{};  // those that serve the table; without a table all that are alive
  int alive_nodes = 0;
  std::optional<client::MetaLevel> level{};
  std::optional<std::vector<DuplicationInfo>> duplications{};  // of the table; nullopt: not known
  std::vector<std::string> silent{};                           // calls that were not answered

  std::string place() const { return fmt::format("table '{}' on cluster {}", table, cluster); }
};

struct Inspection {
  SideFacts source, target;
  bool is_same_table = false;
  int64_t now_us = 0;  // this machine's wall clock
};

}  // namespace pegmove::inspect
