// Whole table files taken into a database in one step: the other half of PartitionDb.
#include <fmt/format.h>
#include <rocksdb/sst_file_writer.h>

#include "base/units.h"
#include "store/partition_db.h"
#include "store/status.h"

namespace pegmove::store {
namespace {

rocksdb::IngestExternalFileOptions ingest_options(bool behind) {
  rocksdb::IngestExternalFileOptions options;
  options.move_files = true;
  options.failed_move_fall_back_to_copy = true;
  options.write_global_seqno = false;  // as in Pegasus: the files stay as they are
  options.ingest_behind = behind;
  return options;
}

}  // namespace

// The note of the load is a row of the meta family, in a file of its own: both families take their
// files in one step, so that there is no moment at which one has them and the other has not.
Result<void> PartitionDb::ingest(const std::vector<std::string>& files, bool behind, int64_t load) {
  TRY(health());
  if (last_load_ == load) return {};
  if (behind) TRY(check_load_behind());
  const auto note = path_ + ".load.sst";  // beside the folder; a killed process's is replaced
  rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), db_->GetOptions(meta_));
  auto status = writer.Open(note);
  if (status.ok()) status = writer.Put(kLastLoadKey, std::to_string(load));
  if (status.ok()) status = writer.Finish();
  if (!status.ok()) return fail(error(status, "noting a load of"));
  rocksdb::IngestExternalFileArg rows, meta;
  rows.column_family = rows_;
  rows.external_files = files;
  rows.options = ingest_options(behind);
  meta.column_family = meta_;
  meta.external_files = {note};
  meta.options = ingest_options(false);
  status = db_->IngestExternalFiles({rows, meta});
  if (!status.ok()) return fail(error(status, "loading into"));
  last_load_ = load;
  return {};
}

Result<void> PartitionDb::check_load_behind() const {
  const std::string doing = fmt::format("loading behind the database {}: ", path_);
  if (!db_->GetDBOptions().allow_ingest_behind)
    return fail(Code::kRefused,
                doing + "its table was made without rocksdb.allow_ingest_behind=true");
  if (compacted_since_made())
    return fail(Code::kRefused,
                doing +
                    "it has been compacted, or loaded before, so that rows which clients deleted "
                    "could come back; create the table again with "
                    "rocksdb.usage_scenario=bulk_load, which compacts nothing");
  return {};
}

// Files that were flushed lie in level 0, and stay there until a compaction moves them.
bool PartitionDb::compacted_since_made() const {
  for (int level = 1; level < db_->NumberLevels(rows_); ++level) {
    std::string files;
    db_->GetProperty(rows_, rocksdb::DB::Properties::kNumFilesAtLevelPrefix + std::to_string(level),
                     &files);
    if (!files.empty() && files != "0") return true;
  }
  return false;
}

}  // namespace pegmove::store
