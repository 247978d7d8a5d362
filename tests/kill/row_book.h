// What a table may hold after writes of which some were acknowledged: writers that note what they
// do, and the comparison with what is really there.
#pragma once

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "async/event.h"
#include "client/table.h"

namespace pegmove::kill {

// The rows of one hash key, which are always written and removed together: one row by set and del,
// several by multi_set and multi_del.
struct RowSet {
  std::string hash_key;
  int rows = 1;
  // What each row may hold; "": that there are no rows. One state when all is known, more after a
  // write that was not acknowledged.
  std::set<std::string> possible{""};
};

// One after another, all writers on one executor.
class RowBook {
 public:
  RowBook(std::shared_ptr<client::Table> table, int writers);

  // Writes without end, one request at a time, to row sets of its own, until `stop` is set.
  Routine<> write(int writer, uint64_t seed, const bool& stop);
  // Returns when so many more writes have ended, acknowledged or not. One waits at a time.
  Routine<> wait_for_writes(int64_t count);
  // Reads the whole table and notes every contradiction. Nobody may be writing.
  Task<> compare();

  int64_t acknowledged() const { return acknowledged_; }
  int64_t unacknowledged() const { return unacknowledged_; }
  // One line each: what was lost, torn, or is there without having been written.
  const std::vector<std::string>& contradictions() const { return contradictions_; }

 private:
  Task<client::OperationInfo> send(const RowSet& set, std::string value, Deadline deadline);
  void acknowledge(const client::OperationInfo& info);
  void compare_one(RowSet& set, const std::map<std::string, std::string>& rows);

  std::shared_ptr<client::Table> table_;     // shared with its scanners
  std::vector<std::vector<RowSet>> sets_;    // by writer
  std::map<int32_t, int64_t> last_decrees_;  // by partition
  int64_t acknowledged_ = 0;
  int64_t unacknowledged_ = 0;
  async::Event write_ended_;
  std::vector<std::string> contradictions_;
};

}  // namespace pegmove::kill
