#include "server/replica/disk_info.h"

#include <filesystem>
#include <system_error>
#include <utility>

namespace pegmove::server::replica {

wire::query_disk_info_response disk_info_of(const std::string& data_dir,
                                            const HeldPartitions& partitions) {
  wire::query_disk_info_response response;
  std::error_code error;
  const auto space = std::filesystem::space(data_dir, error);
  if (error) {
    response.err.code = wire::ErrorCode::kFileOperationFailed;
    return response;
  }
  wire::disk_info disk;
  disk.tag = kDiskTag;
  disk.full_dir = data_dir;
  disk.disk_capacity_mb = int64_t(space.capacity >> 20);
  disk.disk_available_mb = int64_t(space.available >> 20);
  const auto id_of = [](Gpid gpid) {
    wire::gpid id;
    id.id = gpid;
    return id;
  };
  for (auto gpid : partitions.primaries)
    disk.holding_primary_replicas[gpid.app_id].insert(id_of(gpid));
  for (auto gpid : partitions.secondaries)
    disk.holding_secondary_replicas[gpid.app_id].insert(id_of(gpid));
  response.total_capacity_mb = disk.disk_capacity_mb;
  response.total_available_mb = disk.disk_available_mb;
  response.disk_infos.push_back(std::move(disk));
  return response;
}

}  // namespace pegmove::server::replica
