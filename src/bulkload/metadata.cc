#include "bulkload/metadata.h"

#include <nlohmann/json.hpp>

#include "blockstore/pegasus_json.h"

namespace pegmove::bulkload {
namespace {

using blockstore::PegasusJson;

constexpr int32_t kMostPartitions = 65'536;

}  // namespace

std::string encode(const Info& info) {
  return blockstore::dump(PegasusJson{{"app_id", info.app_id},
                                      {"app_name", info.table},
                                      {"partition_count", info.partition_count}});
}

std::string encode(const Metadata& metadata) {
  return blockstore::dump(PegasusJson{{"files", blockstore::files_json(metadata.files)},
                                      {"file_total_size", blockstore::total_size(metadata.files)}});
}

Result<Info> decode_info(std::string_view text) {
  const auto json = blockstore::parse_json(text);
  const auto fields =
      TRY(blockstore::fields_of(json, "bulk_load_info", {"app_id", "app_name", "partition_count"}));
  Info info{
      .app_id = int32_t(TRY(fields.integer("app_id", 0, INT32_MAX, 0))),
      .table = TRY(fields.text("app_name", "")),
      .partition_count = int32_t(TRY(fields.integer("partition_count", 0, kMostPartitions, 0)))};
  if (info.app_id == 0 || info.partition_count == 0)
    return fields.wrong("it does not contain the table's id and partition count");
  return info;
}

Result<Metadata> decode_metadata(std::string_view text) {
  const auto json = blockstore::parse_json(text);
  const auto fields =
      TRY(blockstore::fields_of(json, "bulk_load_metadata", {"files", "file_total_size"}));
  const auto total = TRY(blockstore::read_count(fields, "file_total_size"));
  Metadata metadata{.files = TRY(blockstore::read_files(fields, "files", total))};
  if (total == 0) return fields.wrong("it has no bytes, and servers refuse such a partition");
  return metadata;
}

}  // namespace pegmove::bulkload
