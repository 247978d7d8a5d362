#include "server/meta/duplication/duplication_records.h"

#include <limits>

#include "base/units.h"
#include "server/meta/store/value_json.h"

namespace pegmove::server::meta {
namespace {

constexpr std::string_view kTables = "/apps";
constexpr std::string_view kFolder = "duplication";
constexpr int32_t kMostId = std::numeric_limits<int32_t>::max();
constexpr int64_t kMostDecree = std::numeric_limits<int64_t>::max();

constexpr std::string_view kDuplicationStatuses[] = {"DS_INIT", "DS_PREPARE", "DS_APP",
                                                     "DS_LOG",  "DS_PAUSE",   "DS_REMOVED"};
constexpr std::string_view kFailModes[] = {"FAIL_SLOW", "FAIL_SKIP", "FAIL_FAST"};

std::string record_path(const DuplicationRecord& record) {
  return path_of(kTables, record.app_id, kFolder, record.id);
}

nlohmann::json to_json(const DuplicationRecord& record) {
  return {{"remote", record.remote},
          {"status", status_name(record.status)},
          {"create_timestamp_ms", record.create_ms},
          {"fail_mode", fail_mode_name(record.fail_mode)},
          {"remote_app_name", record.remote_table},
          {"remote_replica_count", record.remote_replica_count},
          {"checkpoint_ready", record.is_checkpoint_ready}};
}

// Its ids and its progress are read separately.
Result<DuplicationRecord> read_duplication(const base::JsonFields& fields) {
  TRY(fields.only({"remote", "status", "create_timestamp_ms", "fail_mode", "remote_app_name",
                   "remote_replica_count", "checkpoint_ready"}));
  DuplicationRecord record{
      .remote = TRY(fields.text("remote")),
      .remote_table = TRY(fields.text("remote_app_name")),
      .remote_replica_count = TRY(fields.int32("remote_replica_count", 0, kMostId)),
      .status =
          wire::duplication_status(int32_t(TRY(fields.choice("status", kDuplicationStatuses)))),
      .fail_mode =
          wire::duplication_fail_mode(int32_t(TRY(fields.choice("fail_mode", kFailModes)))),
      .create_ms = TRY(fields.integer("create_timestamp_ms", 0, kMostDecree)),
      .is_checkpoint_ready = TRY(fields.boolean("checkpoint_ready")),
      .confirmed = {}};
  if (record.status == wire::DS_INIT || record.status == wire::DS_REMOVED)
    return fields.must_be("status", "DS_PREPARE, DS_APP, DS_LOG or DS_PAUSE");
  return record;
}

Result<std::vector<int64_t>> read_confirmed(const MetaValues& values, const std::string& path) {
  std::vector<int64_t> confirmed;
  for (const auto& [index, text] : TRY(numbered_children_of(values, path))) {
    if (index != int64_t(confirmed.size()))
      return fail(Code::kCorrupt,
                  fmt::format("{} has no value of partition {}", path, confirmed.size()));
    const auto decree = base::parse_integer(text, 0, kMostDecree);
    if (!decree)
      return fail(Code::kCorrupt, fmt::format("{} is not a decree", path_of(path, index)));
    confirmed.push_back(*decree);
  }
  if (confirmed.empty())
    return fail(Code::kCorrupt, fmt::format("{} has no values of partitions", path));
  return confirmed;
}

}  // namespace

DuplicationRecord* find_duplication(DuplicationState& state, int32_t app_id, int32_t id) {
  const auto table = state.find(app_id);
  if (table == state.end()) return nullptr;
  const auto found = table->second.find(id);
  return found == table->second.end() ? nullptr : &found->second;
}

void put_duplication(MetaBatch& batch, const DuplicationRecord& record) {
  batch.put(record_path(record), value_text(to_json(record)));
}

void put_confirmed(MetaBatch& batch, const DuplicationRecord& record, size_t partition,
                   int64_t decree) {
  batch.put(path_of(record_path(record), partition), std::to_string(decree));
}

void put_whole_duplication(MetaBatch& batch, const DuplicationRecord& record) {
  put_duplication(batch, record);
  for (size_t i = 0; i < record.confirmed.size(); ++i)
    put_confirmed(batch, record, i, record.confirmed[i]);
}

void remove_duplication(MetaBatch& batch, const DuplicationRecord& record) {
  batch.remove(record_path(record));
}

Result<DuplicationState> read_duplications(const MetaValues& values) {
  DuplicationState state;
  for (const auto& [app_id, unused] : TRY(numbered_children_of(values, kTables))) {
    const auto folder = path_of(kTables, app_id, kFolder);
    for (const auto& [id, text] : TRY(numbered_children_of(values, folder))) {
      const auto path = path_of(folder, id);
      if (id < 1 || id > kMostId || app_id > kMostId)
        return fail(Code::kCorrupt, fmt::format("{} has an id out of range", path));
      auto record = TRY(read_value(path, text, read_duplication));
      record.app_id = int32_t(app_id);
      record.id = int32_t(id);
      record.confirmed = TRY(read_confirmed(values, path));
      state[record.app_id].emplace(record.id, std::move(record));
    }
  }
  return state;
}

std::string_view status_name(wire::duplication_status status) {
  return size_t(status) < std::size(kDuplicationStatuses) ? kDuplicationStatuses[size_t(status)]
                                                          : kDuplicationStatuses[0];
}

std::string_view fail_mode_name(wire::duplication_fail_mode mode) {
  return size_t(mode) < std::size(kFailModes) ? kFailModes[size_t(mode)] : kFailModes[0];
}

}  // namespace pegmove::server::meta
