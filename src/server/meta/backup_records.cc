#include "server/meta/backup_records.h"

#include <ranges>

#include "server/meta/store/value_json.h"

namespace pegmove::server::meta {
namespace {

using Json = nlohmann::json;

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

backup::Place read_place(const Json& json) {
  return {.root = json.at("root"),
          .backup_id = json.at("backup_id"),
          .table = json.at("table"),
          .app_id = json.at("app_id")};
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

BackupRecord read_backup(const Json& json) {
  return {.place = read_place(json.at("place")),
          .provider = json.at("provider"),
          .path = json.at("path"),
          .policy = json.at("policy"),
          .start_ms = json.at("start_ms"),
          .end_ms = json.at("end_ms"),
          .state = read_name<JobState>(json.at("state"), kStates),
          .reason = json.at("reason"),
          .cancel_reason = json.at("cancel_reason"),
          .bytes = json.at("bytes")};
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

// Its partitions are read by themselves.
RestoreRecord read_restore(const Json& json) {
  return {.place = read_place(json.at("place")),
          .provider = json.at("provider"),
          .app_id = json.at("app_id"),
          .skip_bad = json.at("skip_bad"),
          .start_ms = json.at("start_ms"),
          .end_ms = json.at("end_ms"),
          .state = read_name<JobState>(json.at("state"), kStates),
          .reason = json.at("reason"),
          .partitions = std::vector(read_partition_count(json), RestoredPartition::kMissing)};
}

RestoredPartition read_partition(const Json& json) {
  return read_name<RestoredPartition>(json.at("state"), kPartitions);
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

// Its rounds are read by themselves.
PolicyRecord read_policy(const Json& json) {
  return {.name = json.at("name"),
          .provider = json.at("provider"),
          .app_ids = json.at("app_ids"),
          .interval_seconds = json.at("interval_seconds"),
          .history_count = json.at("history_count"),
          .is_disabled = json.at("disabled"),
          .start_hour = json.at("start_hour"),
          .start_minute = json.at("start_minute")};
}

Json to_json(const PolicyRound& round) {
  return {
      {"info", backup::encode(round.info)}, {"failed", round.is_failed}, {"reason", round.reason}};
}

PolicyRound read_round(const Json& json) {
  auto info = backup::decode_backup_info(json.at("info").get_ref<const std::string&>());
  if (!info) throw Json::other_error::create(599, info.error().message(), &json);
  return {.info = std::move(*info), .is_failed = json.at("failed"), .reason = json.at("reason")};
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
    TRY(read_partitions(values, path, record.partitions, read_partition));
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
