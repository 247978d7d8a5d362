// A copy through a backup: backup, split, bulk load and verification as one run. For big tables:
// the servers do most of the work, and rows are neither scanned nor written one by one.
#pragma once

#include <string>
#include <vector>

#include "migration/copy/copy_table.h"
#include "migration/move_files.h"
#include "migration/verify/verify.h"

namespace pegmove::migration {

inline constexpr std::string_view kBackUpAndLoadMethod = "backupcopy";

// Everything that a later process needs to resume it.
struct BackUpAndLoadRequest {
  CopyRequest copy;        // the clusters, the tables, and whether the target is created
  std::string store;       // a [block_service.NAME] of both clusters and of pegmove
  std::string path;        // of the backup: the parent of the cluster's folder
  std::string cluster;     // the target cluster's folder, for the files
  std::string split_path;  // the parent of that folder; "": open() chooses one
  splitter::SplitLimits limits{};
};
std::string to_json(const BackUpAndLoadRequest& request);
// Errors: kCorrupt, naming the field.
Result<BackUpAndLoadRequest> back_up_and_load_request_from_json(std::string_view text);

class BackUpAndLoad;

// The procedure: create the target table, back up the source, split the backup for the target's
// partitions, load the files, finish the table, and compare both tables.
std::vector<runs::Step> back_up_and_load(BackUpAndLoad& work);

// Errors of the run: those of its parts. A cancel ends a backup or load in progress, if the cluster
// can, and restores the settings that the load has changed; files and the table stay.
class BackUpAndLoad : public runs::Work {
 public:
  // `from` and `to`: the clusters as the user named them; empty: as in the request.
  BackUpAndLoad(BackUpAndLoadRequest request, const Ports& ports, std::string from = "",
                std::string to = "");

  Task<runs::Assessment> open(runs::Purpose purpose) override;
  std::string options() const override;
  std::vector<runs::Step> steps() override { return back_up_and_load(*this); }
  runs::Report report(const journal::Run& run) override;

  // The parts of back_up_and_load().
  CopyTable& copy() { return copy_; }
  MoveFiles& files() { return files_; }
  Verify& verify() { return verify_; }

 private:
  BackUpAndLoadRequest request_;
  const Ports& ports_;
  CopyTable copy_;
  MoveFiles files_;
  Verify verify_;
};

}  // namespace pegmove::migration
