#include "server/meta/backup/backup_records.h"

#include <limits>
#include <ranges>

#include "server/meta/store/value_json.h"

namespace pegmove::server::meta {
namespace {

using Json = nlohmann::json;
using base::JsonFields;

constexpr int32_t kMostInt32 = std::numeric_limits<int32_t>::max();
constexpr int32_t kInt32Min = std::numeric_limits<int32_t>::min();
constexpr int64_t kInt64Min = std::numeric_limits<int64_t>::min();
constexpr int64_t kMostInt64 = std::numeric_limits<int64_t>::max();
constexpr size_t kMostEndedBackups = 1000;
constexpr std::string_view kBackups = "/table_backup";
constexpr std::string_view kRestores = "/restore";
constexpr std::string_view kPolicies = "/backup";

constexpr std::string_view kStates[] = {"running", "done", "failed", "cancelled"};
constexpr std::string_view kPartitions[] = {"missing", "done", "skipped"};

Json to_json(const backup::Place& place) {
  return {{"root", place.root},
          {"backup_id", place.backup_id},
          {"table", place.table},
          {"app_id", place.app_id}};
}

// Its numbers come from a client's request.
Result<backup::Place> read_place(const JsonFields& fields) {
  return backup::Place{.root = TRY(fields.text("root")),
                       .backup_id = TRY(fields.integer("backup_id", kInt64Min, kMostInt64)),
                       .table = TRY(fields.text("table")),
                       .app_id = TRY(fields.int32("app_id", kInt32Min, kMostInt32))};
}

Json to_json(const BackupRecord& record) {
  return {{"place", to_json(record.place)},
          {"provider", record.provider},
          {"path", record.path},
          {"policy", record.policy},
          {"start_ms", record.start_ms},
          {"end_ms", record.end_ms},
          {"state", to_string(record.state)},
          {"reason", record.reason},
          {"cancel_reason", record.cancel_reason},
          {"bytes", record.bytes}};
}

Result<BackupRecord> read_backup(const JsonFields& fields) {
  return BackupRecord{.place = TRY(read_place(TRY(fields.object("place")))),
                      .provider = TRY(fields.text("provider")),
                      .path = TRY(fields.text("path")),
                      .policy = TRY(fields.text("policy")),
                      .start_ms = TRY(fields.integer("start_ms", 0, kMostInt64)),
                      .end_ms = TRY(fields.integer("end_ms", 0, kMostInt64)),
                      .state = JobState(TRY(fields.choice("state", kStates))),
                      .reason = TRY(fields.text("reason")),
                      .cancel_reason = TRY(fields.text("cancel_reason")),
                      .bytes = TRY(fields.integer("bytes", 0, kMostInt64))};
}

Json to_json(const RestoreRecord& record) {
  return {{"place", to_json(record.place)},
          {"provider", record.provider},
          {"app_id", record.app_id},
          {"skip_bad", record.skip_bad},
          {"start_ms", record.start_ms},
          {"end_ms", record.end_ms},
          {"state", to_string(record.state)},
          {"reason", record.reason},
          {"partition_count", record.partitions.size()}};
}

// Its partitions are read separately.
Result<RestoreRecord> read_restore(const JsonFields& fields) {
  return RestoreRecord{
      .place = TRY(read_place(TRY(fields.object("place")))),
      .provider = TRY(fields.text("provider")),
      .app_id = TRY(fields.int32("app_id", 1, kMostInt32)),
      .skip_bad = TRY(fields.boolean("skip_bad")),
      .start_ms = TRY(fields.integer("start_ms", 0, kMostInt64)),
      .end_ms = TRY(fields.integer("end_ms", 0, kMostInt64)),
      .state = JobState(TRY(fields.choice("state", kStates))),
      .reason = TRY(fields.text("reason")),
      .partitions = std::vector(TRY(read_partition_count(fields)), RestoredPartition::kMissing)};
}

Result<RestoredPartition> read_restored_partition(const JsonFields& fields) {
  return RestoredPartition(TRY(fields.choice("state", kPartitions)));
}

Json to_json(const PolicyRecord& policy) {
  return {{"name", policy.name},
          {"provider", policy.provider},
          {"app_ids", policy.app_ids},
          {"interval_seconds", policy.interval_seconds},
          {"history_count", policy.history_count},
          {"disabled", policy.is_disabled},
          {"start_hour", policy.start_hour},
          {"start_minute", policy.start_minute}};
}

// Its rounds are read separately.
Result<PolicyRecord> read_policy(const JsonFields& fields) {
  PolicyRecord policy{
      .name = TRY(fields.text("name")),
      .provider = TRY(fields.text("provider")),
      .app_ids = {},
      .interval_seconds = TRY(fields.integer("interval_seconds", 1, kMostInt64 / 1000)),
      .history_count = TRY(fields.int32("history_count", 1, kMostInt32)),
      .is_disabled = TRY(fields.boolean("disabled")),
      .start_hour = TRY(fields.int32("start_hour", 0, 24)),
      .start_minute = TRY(fields.int32("start_minute", 0, 59))};
  for (const auto app_id : TRY(fields.integers("app_ids", 1, kMostInt32)))
    policy.app_ids.insert(int32_t(app_id));
  return policy;
}

Json to_json(const PolicyRound& round) {
  return {
      {"info", backup::encode(round.info)}, {"failed", round.is_failed}, {"reason", round.reason}};
}

Result<PolicyRound> read_round(const JsonFields& fields) {
  auto info = backup::decode_backup_info(TRY(fields.text("info")));
  if (!info) return fields.wrong(info.error().message());
  return PolicyRound{.info = std::move(*info),
                     .is_failed = TRY(fields.boolean("failed")),
                     .reason = TRY(fields.text("reason"))};
}

std::string path_of_backup(const BackupKey& key) {
  return path_of(kBackups, key.second, key.first);
}

BackupKey key_of(const BackupRecord& record) {
  return {record.place.backup_id, record.place.app_id};
}

Result<void> read_table_backups(const MetaValues& values, BackupState& state) {
  for (const auto& [name, text] : values_below(values, kBackups)) {
    const auto path = path_of(kBackups, name);
    auto record = TRY(read_value(path, text, read_backup));
    const auto key = key_of(record);
    TRY(check_path(path, path_of_backup(key)));
    state.backups[key] = std::move(record);
  }
  return {};
}

Result<void> read_restores(const MetaValues& values, BackupState& state) {
  for (const auto& [app_id, text] : TRY(numbered_children_of(values, kRestores))) {
    const auto path = path_of(kRestores, app_id);
    auto record = TRY(read_value(path, text, read_restore));
    TRY(check_path(path, path_of(kRestores, record.app_id)));
    TRY(read_partitions(values, path, record.partitions, read_restored_partition));
    state.restores[record.app_id] = std::move(record);
  }
  return {};
}

Result<void> read_policies(const MetaValues& values, BackupState& state) {
  for (const auto& [name, text] : children_of(values, kPolicies)) {
    const auto path = path_of(kPolicies, name);
    auto policy = TRY(read_value(path, text, read_policy));
    TRY(check_path(path, path_of(kPolicies, policy.name)));
    for (const auto& [backup_id, round] : TRY(numbered_children_of(values, path))) {
      const auto round_path = path_of(path, backup_id);
      policy.rounds.push_back(TRY(read_value(round_path, round, read_round)));
      TRY(check_path(round_path, path_of(path, policy.rounds.back().info.backup_id)));
    }
    state.policies[policy.name] = std::move(policy);
  }
  return {};
}

}  // namespace

std::string_view to_string(JobState state) { return kStates[size_t(state)]; }

void put_backup(MetaBatch& batch, const BackupRecord& record) {
  batch.put(path_of_backup(key_of(record)), value_text(to_json(record)));
}

void put_restore(MetaBatch& batch, const RestoreRecord& record) {
  batch.put(path_of(kRestores, record.app_id), value_text(to_json(record)));
}

void put_restored_partition(MetaBatch& batch, const RestoreRecord& record, size_t partition) {
  batch.put(path_of(kRestores, record.app_id, partition),
            value_text({{"state", kPartitions[size_t(record.partitions[partition])]}}));
}

void put_whole_restore(MetaBatch& batch, const RestoreRecord& record) {
  batch.remove(path_of(kRestores, record.app_id));
  put_restore(batch, record);
  for (size_t i = 0; i < record.partitions.size(); ++i) put_restored_partition(batch, record, i);
}

void put_policy(MetaBatch& batch, const PolicyRecord& policy) {
  batch.put(path_of(kPolicies, policy.name), value_text(to_json(policy)));
}

void put_round(MetaBatch& batch, const std::string& policy, const PolicyRound& round) {
  batch.put(path_of(kPolicies, policy, round.info.backup_id), value_text(to_json(round)));
}

void remove_round(MetaBatch& batch, const std::string& policy, int64_t backup_id) {
  batch.remove(path_of(kPolicies, policy, backup_id));
}

Result<BackupState> read_backups(const MetaValues& values) {
  BackupState state;
  TRY(read_table_backups(values, state));
  TRY(read_restores(values, state));
  TRY(read_policies(values, state));
  return state;
}

void forget_old_backups(BackupState& state, MetaBatch& batch) {
  std::set<int64_t> rounds_under_way;
  for (const auto& [name, policy] : state.policies)
    for (const auto& round : policy.rounds)
      if (round.info.end_time_ms == 0 && !round.is_failed)
        rounds_under_way.insert(round.info.backup_id);
  size_t ended = 0;
  std::vector<BackupKey> too_many;
  for (const auto& [key, record] : std::views::reverse(state.backups))
    if (record.state != JobState::kRunning && !rounds_under_way.contains(key.first) &&
        ++ended > kMostEndedBackups)
      too_many.push_back(key);
  for (const auto& key : too_many) {
    batch.remove(path_of_backup(key));
    state.backups.erase(key);
  }
}

void forget_table(BackupState& state, int32_t app_id) {
  std::erase_if(state.backups, [&](const auto& each) { return each.first.second == app_id; });
  state.restores.erase(app_id);
}

}  // namespace pegmove::server::meta
