// What the meta server may know after tables were made and dropped and some of it was acknowledged.
#pragma once

#include <map>
#include <random>
#include <string>
#include <vector>

#include "client/table.h"

namespace pegmove::kill {

class TableBook {
 public:
  explicit TableBook(std::shared_ptr<client::Cluster> cluster) : cluster_(std::move(cluster)) {}

  // Makes and drops tables without end, one request at a time, until `stop` is set.
  Routine<> change(uint64_t seed, const bool& stop);
  // Asks for all tables and notes every contradiction; every table there must serve. Nobody may be
  // changing anything.
  Task<> compare();

  int64_t acknowledged() const { return acknowledged_; }
  const std::vector<std::string>& contradictions() const { return contradictions_; }

 private:
  enum class State { kAbsent, kPresent, kOpen };  // kOpen: a request was not acknowledged
  struct Known {
    State state = State::kAbsent;
    int32_t app_id = 0;       // 0: not known
    bool has_marker = false;  // a row was acknowledged in the table of that id
  };

  Task<> create(const std::string& name, Known& known, Deadline deadline);
  Task<> drop(const std::string& name, Known& known, std::mt19937_64& random, Deadline deadline);
  Task<> put_marker(const std::string& name, Known& known, Deadline deadline);
  Task<> compare_one(const std::string& name, Known& known, int32_t app_id);
  void contradict(const std::string& name, const std::string& what) {
    contradictions_.push_back("table " + name + ": " + what);
  }

  std::shared_ptr<client::Cluster> cluster_;  // shared with the tables
  std::map<std::string, Known> known_{{"tableA", {}}, {"tableB", {}}};
  int32_t largest_app_id_ = 0;
  int64_t acknowledged_ = 0;
  std::vector<std::string> contradictions_;
};

}  // namespace pegmove::kill
