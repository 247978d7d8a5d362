#include "server/meta/backup_records.h"

#include <ranges>

#include "server/meta/book_file.h"

namespace pegmove::server::meta {
namespace {

using Json = nlohmann::json;

constexpr size_t kMostEndedBackups = 1000;
constexpr int kVersion = 1;

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
  Json partitions = Json::array();
  for (const auto partition : record.partitions)
    partitions.push_back(kPartitions[size_t(partition)]);
  return {{"place", to_json(record.place)},
          {"provider", record.provider},
          {"app_id", record.app_id},
          {"skip_bad", record.skip_bad},
          {"start_ms", record.start_ms},
          {"end_ms", record.end_ms},
          {"state", to_string(record.state)},
          {"reason", record.reason},
          {"partitions", std::move(partitions)}};
}

RestoreRecord read_restore(const Json& json) {
  RestoreRecord record{.place = read_place(json.at("place")),
                       .provider = json.at("provider"),
                       .app_id = json.at("app_id"),
                       .skip_bad = json.at("skip_bad"),
                       .start_ms = json.at("start_ms"),
                       .end_ms = json.at("end_ms"),
                       .state = read_name<JobState>(json.at("state"), kStates),
                       .reason = json.at("reason"),
                       .partitions = {}};
  for (const auto& partition : json.at("partitions"))
    record.partitions.push_back(read_name<RestoredPartition>(partition, kPartitions));
  return record;
}

Json to_json(const PolicyRecord& policy) {
  Json rounds = Json::array();
  for (const auto& round : policy.rounds)
    rounds.push_back({{"info", backup::encode(round.info)},
                      {"failed", round.is_failed},
                      {"reason", round.reason}});
  return {{"name", policy.name},
          {"provider", policy.provider},
          {"app_ids", policy.app_ids},
          {"interval_seconds", policy.interval_seconds},
          {"history_count", policy.history_count},
          {"disabled", policy.is_disabled},
          {"start_hour", policy.start_hour},
          {"start_minute", policy.start_minute},
          {"rounds", std::move(rounds)}};
}

PolicyRecord read_policy(const Json& json) {
  PolicyRecord policy{.name = json.at("name"),
                      .provider = json.at("provider"),
                      .app_ids = json.at("app_ids"),
                      .interval_seconds = json.at("interval_seconds"),
                      .history_count = json.at("history_count"),
                      .is_disabled = json.at("disabled"),
                      .start_hour = json.at("start_hour"),
                      .start_minute = json.at("start_minute")};
  for (const auto& round : json.at("rounds")) {
    auto info = backup::decode_backup_info(round.at("info").get_ref<const std::string&>());
    if (!info) throw Json::other_error::create(599, info.error().message(), &round);
    policy.rounds.push_back(
        {.info = std::move(*info), .is_failed = round.at("failed"), .reason = round.at("reason")});
  }
  return policy;
}

BackupState read_state(const Json& json) {
  if (json.at("version") != kVersion)
    throw Json::other_error::create(599, "another version", &json);
  BackupState state;
  for (const auto& each : json.at("backups")) {
    auto record = read_backup(each);
    state.backups[{record.place.backup_id, record.place.app_id}] = std::move(record);
  }
  for (const auto& each : json.at("restores")) {
    auto record = read_restore(each);
    state.restores[record.app_id] = std::move(record);
  }
  for (const auto& each : json.at("policies")) {
    auto policy = read_policy(each);
    state.policies[policy.name] = std::move(policy);
  }
  return state;
}

}  // namespace

std::string_view to_string(JobState state) { return kStates[size_t(state)]; }

std::string encode_backups(const BackupState& state) {
  Json json{{"version", kVersion},
            {"backups", Json::array()},
            {"restores", Json::array()},
            {"policies", Json::array()}};
  for (const auto& [key, record] : state.backups) json["backups"].push_back(to_json(record));
  for (const auto& [id, record] : state.restores) json["restores"].push_back(to_json(record));
  for (const auto& [name, policy] : state.policies) json["policies"].push_back(to_json(policy));
  return json.dump(1, ' ', false, Json::error_handler_t::replace);
}

// The library throws where a field is missing or of another kind; here that becomes an error.
Result<BackupState> decode_backups(std::string_view text) {
  try {
    return read_state(Json::parse(text));
  } catch (const Json::exception& wrong) {
    return fail(Code::kCorrupt, wrong.what());
  }
}

Result<BackupBook> BackupBook::open(const std::string& folder) {
  BackupBook book(folder + "/backups.json");
  book.state_ = TRY(read_book(book.path_, decode_backups));
  return book;
}

Result<void> BackupBook::save() {
  std::set<int64_t> rounds_under_way;
  for (const auto& [name, policy] : state_.policies)
    for (const auto& round : policy.rounds)
      if (round.info.end_time_ms == 0 && !round.is_failed)
        rounds_under_way.insert(round.info.backup_id);
  size_t ended = 0;
  std::vector<BackupKey> too_many;
  for (const auto& [key, record] : std::views::reverse(state_.backups))
    if (record.state != JobState::kRunning && !rounds_under_way.contains(key.first) &&
        ++ended > kMostEndedBackups)
      too_many.push_back(key);
  for (const auto& key : too_many) state_.backups.erase(key);
  return base::replace_file(path_, encode_backups(state_));
}

}  // namespace pegmove::server::meta
