#include "bulkload/metadata.h"

#include "blockstore/pegasus_json.h"

namespace pegmove::bulkload {
namespace {

using blockstore::Fields;
using blockstore::PegasusJson;

constexpr int32_t kMostPartitions = 65'536;

Result<Info> read_info(const PegasusJson& json) {
  const auto fields = TRY(Fields::of(json, {"app_id", "app_name", "partition_count"}));
  Info info{
      .app_id = int32_t(TRY(fields.integer("app_id", 0, 0, INT32_MAX))),
      .table = TRY(fields.text("app_name")),
      .partition_count = int32_t(TRY(fields.integer("partition_count", 0, 0, kMostPartitions)))};
  if (info.app_id == 0 || info.partition_count == 0)
    return fail(Code::kCorrupt, "it does not tell the table's id and its partitions");
  return info;
}

Result<Metadata> read_metadata(const PegasusJson& json) {
  const auto fields = TRY(Fields::of(json, {"files", "file_total_size"}));
  const auto total = TRY(fields.integer("file_total_size", 0));
  Metadata metadata{.files = TRY(blockstore::read_files(fields, "files", total))};
  if (total == 0)
    return fail(Code::kCorrupt, "it has no bytes, and servers refuse such a partition");
  return metadata;
}

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
  return in_context(read_info(blockstore::parse_json(text)), "bulk_load_info");
}

Result<Metadata> decode_metadata(std::string_view text) {
  return in_context(read_metadata(blockstore::parse_json(text)), "bulk_load_metadata");
}

}  // namespace pegmove::bulkload
