#include "store/folder.h"

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <memory>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "store/status.h"

namespace pegmove::store {
namespace {

constexpr std::string_view kCreatingSuffix = ".creating";

std::string parent_of(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(path.substr(0, slash == 0 ? 1 : slash));
}

rocksdb::Status sync_folder(rocksdb::Env& env, const std::string& path) {
  std::unique_ptr<rocksdb::Directory> folder;
  const rocksdb::Status status = env.NewDirectory(path, &folder);
  return status.ok() ? folder->Fsync() : status;
}

Result<void> create_folders(rocksdb::Env& env, const std::string& path) {
  if (env.FileExists(path).ok()) return {};
  const std::string parent = parent_of(path);
  TRY(create_folders(env, parent));
  rocksdb::Status status = env.CreateDirIfMissing(path);
  if (status.ok()) status = sync_folder(env, parent);
  if (!status.ok()) return fail(to_error(status, "creating the folder of", path));
  return {};
}

// A database with the meta keys of one that was never written, closed again.
rocksdb::Status build(const PartitionOptions& options, rocksdb::DBOptions db_options,
                      const std::string& path) {
  db_options.create_if_missing = true;
  db_options.create_missing_column_families = true;
  db_options.error_if_exists = true;
  rocksdb::DB* opened = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  rocksdb::Status status =
      rocksdb::DB::Open(db_options, path, make_families(options, {}), &families, &opened);
  if (!status.ok()) return status;
  const std::unique_ptr<rocksdb::DB> db(opened);
  rocksdb::WriteBatch batch;
  batch.Put(families[1], kDataVersionKey, "1");
  batch.Put(families[1], kLastFlushedDecreeKey, "0");
  batch.Put(families[1], kManualCompactFinishTimeKey, "0");
  rocksdb::WriteOptions write;
  write.sync = true;
  status = db->Write(write, &batch);
  for (rocksdb::ColumnFamilyHandle* family : families) db->DestroyColumnFamilyHandle(family);
  const rocksdb::Status closed = db->Close();
  return status.ok() ? closed : status;
}

}  // namespace

Result<FolderState> look_at_folder(rocksdb::Env& env, const std::string& path) {
  const rocksdb::Status exists = env.FileExists(path);
  if (exists.IsNotFound()) return FolderState::kMissing;
  if (!exists.ok()) return fail(to_error(exists, "looking at", path));
  bool is_folder = false;
  const rocksdb::Status asked = env.IsDirectory(path, &is_folder);
  if (!asked.ok()) return fail(to_error(asked, "looking at", path));
  if (!is_folder)
    return fail(Code::kIo, fmt::format("opening the database {}: it is no folder", path));
  std::vector<std::string> names;
  const rocksdb::Status listed = env.GetChildren(path, &names);
  if (!listed.ok()) return fail(to_error(listed, "listing", path));
  std::erase_if(names, [](const std::string& name) { return name == "." || name == ".."; });
  if (names.empty()) return FolderState::kEmpty;
  const bool database = std::ranges::find(names, "CURRENT") != names.end();
  return database ? FolderState::kDatabase : FolderState::kForeign;
}

Result<void> check_families(const rocksdb::DBOptions& options, const std::string& path) {
  std::vector<std::string> names;
  const rocksdb::Status status = rocksdb::DB::ListColumnFamilies(options, path, &names);
  if (!status.ok()) {
    // Files that CURRENT or the MANIFEST names and that are not there are damage, not absence.
    Error error = to_error(status, "opening", path);
    const bool damaged = status.IsNotFound() || status.IsPathNotFound();
    return damaged ? fail(Code::kCorrupt, error.message()) : fail(std::move(error));
  }
  bool has_meta = false;
  for (const std::string& name : names) {
    if (name == kMetaFamily) {
      has_meta = true;
    } else if (name != rocksdb::kDefaultColumnFamilyName) {
      return fail(Code::kCorrupt, fmt::format("opening the database {}: it has the column family "
                                              "{}, so it is no partition of Pegasus",
                                              path, base::printable(name)));
    }
  }
  if (!has_meta) {
    return fail(Code::kCorrupt, fmt::format("opening the database {}: it lacks the column family "
                                            "{}, so it is no partition of Pegasus",
                                            path, kMetaFamily));
  }
  return {};
}

Result<void> create_database(const PartitionOptions& options,
                             const rocksdb::DBOptions& db_options) {
  rocksdb::Env& env = *db_options.env;
  std::string staging = options.path;
  while (staging.size() > 1 && staging.ends_with('/')) staging.pop_back();
  staging += kCreatingSuffix;
  const std::string parent = parent_of(options.path);
  TRY(create_folders(env, parent));
  if (env.FileExists(staging).ok()) TRY(delete_folder(env, staging));
  rocksdb::Status status = build(options, db_options, staging);
  if (status.ok()) status = env.RenameFile(staging, options.path);
  if (status.ok()) status = sync_folder(env, parent);
  if (!status.ok()) return fail(to_error(status, "creating", options.path));
  return {};
}

std::string file_in(std::string folder, std::string_view name) {
  return folder.append("/").append(name);
}

Result<void> delete_folder(rocksdb::Env& env, const std::string& path) {
  std::vector<std::string> names;
  rocksdb::Status status = env.GetChildren(path, &names);
  for (const std::string& name : names) {
    if (!status.ok()) break;
    if (name != "." && name != "..") status = env.DeleteFile(file_in(path, name));
  }
  if (status.ok()) status = env.DeleteDir(path);
  if (!status.ok()) return fail(to_error(status, "deleting", path));
  return {};
}

}  // namespace pegmove::store
