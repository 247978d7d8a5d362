// The files of one unit on their way from this machine to the store.
#pragma once

#include <string>
#include <vector>

#include "splitter/split.h"

namespace pegmove::splitter {

// Has a folder of its own below the work folder, which goes with it. On one executor.
class UnitOutput {
 public:
  // All outlive it.
  UnitOutput(const SplitTarget& target, const SplitLimits& limits, const UnitEvents& events,
             size_t unit);
  ~UnitOutput();
  UnitOutput(const UnitOutput&) = delete;
  UnitOutput& operator=(const UnitOutput&) = delete;

  // Makes the folder, empty. Before anything else.
  Task<> begin();
  const std::string& folder() const { return folder_; }
  // Each is removed here when it is in the store. Errors: the store's; kInterrupted.
  Task<> send(const std::vector<FinishedFile>& files);
  // Ends with what was sent.
  UnitResult finish(const RowCounts& counts);

 private:
  Task<> send_one(const FinishedFile& file);

  const SplitTarget& target_;
  const UnitEvents& events_;
  std::string folder_;
  UnitResult result_;
};

}  // namespace pegmove::splitter
