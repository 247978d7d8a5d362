#include "backup/layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/bytes.h"
#include "blockstore/path.h"

namespace pegmove::backup {

using blockstore::join;

std::string Place::backup_folder() const { return join(root, std::to_string(backup_id)); }
std::string Place::info_file() const { return join(backup_folder(), kBackupInfo); }
std::string Place::envs_file() const { return join(backup_folder(), kEnvsFile); }
std::string Place::table_folder() const {
  return join(backup_folder(), fmt::format("{}_{}", table, app_id));
}
std::string Place::metadata_file() const { return join(table_folder(), "meta", "app_metadata"); }
std::string Place::status_file() const { return join(table_folder(), "meta", "app_backup_status"); }
std::string Place::unfinished_file() const { return join(table_folder(), kUnfinished); }
std::string Place::partition_folder(int32_t partition) const {
  return join(table_folder(), std::to_string(partition));
}
std::string Place::current_file(int32_t partition) const {
  return join(partition_folder(partition), kCurrentCheckpoint);
}
std::string Place::checkpoint_folder(int32_t partition, std::string_view checkpoint) const {
  return join(partition_folder(partition), checkpoint);
}

Result<std::string> root_of(std::string_view path, std::string_view cluster,
                            std::string_view policy) {
  if (!blockstore::is_name(cluster))
    return fail(Code::kInvalidArgument,
                fmt::format("\"{}\" is not a valid name of a cluster", base::printable(cluster)));
  if (!policy.empty() && !blockstore::is_name(policy))
    return fail(Code::kInvalidArgument,
                fmt::format("\"{}\" is not a valid name of a policy", base::printable(policy)));
  return join(TRY(blockstore::check_path(path)), cluster, policy);
}

std::string checkpoint_name(std::string_view host_port) {
  std::string name = "chkpt_" + std::string(host_port);
  std::ranges::replace(name, ':', '_');
  return name;
}

bool is_checkpoint_name(std::string_view name) {
  return blockstore::is_name(name) && name.starts_with("chkpt_");
}

Result<void> check_table_folder(std::string_view table, int32_t app_id) {
  if (blockstore::is_name(fmt::format("{}_{}", table, app_id))) return {};
  return fail(Code::kRefused,
              fmt::format("table '{}' cannot be found in a backup: its folder there would be named "
                          "by the table, and this is no name of a folder; give the table another "
                          "name (`rename` in the shell), or use `pegmove copy` or `pegmove export`",
                          base::printable(table)));
}

std::optional<TableFolder> parse_table_folder(std::string_view name) {
  const auto line = name.rfind('_');
  if (line == std::string_view::npos || line == 0) return std::nullopt;
  TableFolder folder{.table = std::string(name.substr(0, line))};
  const auto* end = name.data() + name.size();
  const auto [stop, failed] = std::from_chars(name.data() + line + 1, end, folder.app_id);
  if (failed != std::errc() || stop != end || folder.app_id <= 0) return std::nullopt;
  return folder;
}

std::optional<int64_t> parse_backup_id(std::string_view name) {
  int64_t id = 0;
  const auto* end = name.data() + name.size();
  const auto [stop, failed] = std::from_chars(name.data(), end, id);
  // Folders of partitions are numbers too: only milliseconds since 1970 have 13 digits.
  if (failed != std::errc() || stop != end || name.size() != 13 || name[0] == '0')
    return std::nullopt;
  return id;
}

}  // namespace pegmove::backup
