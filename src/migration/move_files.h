// A table's rows, moved as files by the clusters' own servers: backup, split and bulk load. The
// part that every method has in common that does so.
#pragma once

#include <string>
#include <vector>

#include "migration/cold_backup/back_up.h"
#include "migration/load/load.h"
#include "migration/ports.h"
#include "migration/split/split.h"

namespace pegmove::migration {

// Everything that a later process needs to resume it.
struct MoveFilesRequest {
  std::string from_metas, to_metas;
  std::string table, to_table;
  std::string store;           // a [block_service.NAME] of both clusters and of pegmove
  std::string path;            // of the backup: the parent of the cluster's folder
  std::string cluster;         // the target cluster's folder, for the files
  std::string split_path;      // the parent of that folder; only this run uses it
  bool ingest_behind = false;  // newer rows of the target table win
  splitter::SplitLimits limits{};
  async::milliseconds timeout{30'000};
};
// A folder that only this run uses, below the path of the backup.
std::string new_split_path(const std::string& path, const std::string& table, const Clock& clock);

// The parts of a run: lists of steps, in this order. The target table must exist before
// split_and_load(). A cancel ends a backup or load in progress, if the cluster can, and restores
// the settings that the load has changed; files stay.
class MoveFiles {
 public:
  MoveFiles(MoveFilesRequest request, const Ports& ports);

  // Connects both parts; their steps do so, too, when they act: a process that carries out none of
  // them needs neither the store nor the table.
  Task<> open();
  std::vector<runs::Step> back_up();
  // Finds out what the target table is like, splits, checks the files, and loads them.
  std::vector<runs::Step> split_and_load();

  // Of the backup that was made; its root is empty before.
  const backup::Place& backup_place() const { return backup_.place(); }
  // The reports of the parts.
  BackUp& backup() { return backup_; }
  Split& split() { return split_; }
  Load& load() { return load_; }

 private:
  Task<std::string> bind_split();
  Task<std::string> check_before_load();
  runs::Step opened(runs::Step step);

  const MoveFilesRequest request_;
  const Ports& ports_;
  bool is_open_ = false;
  BackUp backup_;
  Split split_;
  Load load_;
};

}  // namespace pegmove::migration
