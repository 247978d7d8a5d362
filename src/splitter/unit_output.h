// Uploads the files of one unit from this machine to the store.
#pragma once

#include <string>
#include <vector>

#include "splitter/split.h"

namespace pegmove::splitter {

// Has its own folder below the work folder, which is removed with it. On one executor.
class UnitOutput {
 public:
  // All must outlive it.
  UnitOutput(const SplitTarget& target, const SplitLimits& limits, const UnitEvents& events,
             size_t unit);
  ~UnitOutput();
  UnitOutput(const UnitOutput&) = delete;
  UnitOutput& operator=(const UnitOutput&) = delete;

  // Creates the folder, empty. Call it first.
  Task<> begin();
  const std::string& folder() const { return folder_; }
  // Each file is removed from this machine when it is in the store. Errors: the store's;
  // kInterrupted.
  Task<> send(const std::vector<FinishedFile>& files);
  // Returns the files that were sent.
  UnitResult finish(const RowCounts& counts);

 private:
  Task<> send_one(const FinishedFile& file);

  const SplitTarget& target_;
  const UnitEvents& events_;
  std::string folder_;
  UnitResult result_;
};

}  // namespace pegmove::splitter
