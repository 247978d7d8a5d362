// Files of backups and of bulk loads from hostile bytes. The first byte chooses the file. What was
// parsed is written and parsed again, and must be the same; parsed names must not leave their
// folder.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "backup/layout.h"
#include "backup/metadata.h"
#include "blockstore/path.h"
#include "bulkload/metadata.h"

namespace pegmove::backup {
namespace {

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz_backup: %s\n", what);
  std::abort();
}

void fuzz_info(std::string_view text) {
  const auto info = decode_backup_info(text);
  if (!info) return;
  if (info->tables.empty()) return;  // of a policy: written with the existing tables
  const auto again = decode_backup_info(encode(*info));
  require(again && *again == *info, "backup_info changes when it is read again");
}

void fuzz_checkpoint(std::string_view text) {
  const auto metadata = decode_checkpoint_metadata(text);
  if (!metadata) return;
  int64_t total = 0;
  for (const auto& file : metadata->files) {
    require(blockstore::is_name(file.name), "a file's name is not valid");
    total += file.size;
  }
  require(total == metadata->total_size, "the sizes do not add up");
  const auto again = decode_checkpoint_metadata(encode(*metadata));
  require(again && *again == *metadata, "backup_metadata changes when it is read again");
}

void fuzz_app(std::string_view text) {
  const auto app = decode_app_metadata(text);
  if (!app) return;
  require(app->partition_count > 0 && app->partition_count <= 65'536, "too many partitions");
  const auto again = decode_app_metadata(encode_app_metadata(*app));
  require(again && again->app_name == app->app_name && again->app_id == app->app_id &&
              again->partition_count == app->partition_count,
          "app_metadata changes when it is read again");
}

void fuzz_envs(std::string_view text) {
  const auto envs = decode_envs(text);
  if (!envs) return;
  const auto again = decode_envs(encode_envs(*envs));
  require(again && *again == *envs, "pegmove_envs changes when it is read again");
}

void fuzz_load_info(std::string_view text) {
  const auto info = bulkload::decode_info(text);
  if (!info) return;
  require(info->app_id > 0 && info->partition_count > 0, "a bulk_load_info without a table");
  const auto again = bulkload::decode_info(bulkload::encode(*info));
  require(again && *again == *info, "bulk_load_info changes when it is read again");
}

void fuzz_load_metadata(std::string_view text) {
  const auto metadata = bulkload::decode_metadata(text);
  if (!metadata) return;
  require(blockstore::total_size(metadata->files) > 0, "a partition without bytes");
  for (const auto& file : metadata->files)
    require(blockstore::is_name(file.name), "a file's name is not valid");
  const auto again = bulkload::decode_metadata(bulkload::encode(*metadata));
  require(again && *again == *metadata, "bulk_load_metadata changes when it is read again");
}

void fuzz_path(std::string_view text) {
  const auto path = blockstore::check_path(text);
  if (path) {
    const auto again = blockstore::check_path(*path);
    require(again && *again == *path, "a path changes when it is checked again");
    require(!("/" + *path + "/").contains("/../"), "a path leads out");
  }
  if (is_checkpoint_name(text))
    require(blockstore::is_name(text), "a checkpoint's name is not valid");
  if (auto table = parse_table_folder(text)) require(table->app_id > 0, "an app id is not valid");
}

}  // namespace
}  // namespace pegmove::backup

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pegmove::backup;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 7) {
    case 0: fuzz_info(text); break;
    case 1: fuzz_checkpoint(text); break;
    case 2: fuzz_app(text); break;
    case 3: fuzz_envs(text); break;
    case 4: fuzz_path(text); break;
    case 5: fuzz_load_info(text); break;
    default: fuzz_load_metadata(text);
  }
  return 0;
}
