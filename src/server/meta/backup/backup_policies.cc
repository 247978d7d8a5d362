#include "server/meta/backup/backup_policies.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <ctime>

#include "backup_types.h"

namespace pegmove::server::meta {
namespace {

using wire::ErrorCode;

constexpr async::milliseconds kLookAtSchedule{60'000};
constexpr int64_t kReserveMinutes = 10;  // cold_backup_checkpoint_reserve_minutes
constexpr int64_t kDaySeconds = 86'400;
constexpr int64_t kMostSeconds = 100 * 366 * kDaySeconds;
constexpr int64_t kMinuteMs = 60'000;
constexpr int32_t kAnyHour = 24;

std::tm local_time(int64_t unix_ms) {
  const std::time_t seconds = unix_ms / 1000;
  std::tm local{};
  localtime_r(&seconds, &local);
  return local;
}

bool is_label(std::string_view name, bool may_have_colons) {
  const auto may_begin = [&](unsigned char c) {
    return std::isalpha(c) || c == '_' || (may_have_colons && c == ':');
  };
  return !name.empty() && may_begin(static_cast<unsigned char>(name[0])) &&
         std::ranges::all_of(name.substr(1),
                             [&](unsigned char c) { return may_begin(c) || std::isdigit(c); });
}

// What Pegasus answers to an invalid name; empty: it is valid.
std::string wrong_name(const std::string& name) {
  if (name.contains("backup_info"))
    return fmt::format("invalid policy name: '{}', policy name is reserved", name);
  const auto begin =
      fmt::format("invalid policy name: '{}', policy name should match regex '", name);
  if (!is_label(name, true))
    return begin + "[a-zA-Z_:][a-zA-Z0-9_:]*' when act as a metric name in prometheus";
  if (!is_label(name, false))
    return begin + "[a-zA-Z_][a-zA-Z0-9_]*' when act as a metric label in prometheus";
  return "";
}

std::string two_digits(int32_t number) { return (number < 10 ? "0" : "") + std::to_string(number); }

wire::policy_entry to_entry(const PolicyRecord& policy) {
  wire::policy_entry entry;
  entry.policy_name = policy.name;
  entry.backup_provider_type = policy.provider;
  entry.backup_interval_seconds = std::to_string(policy.interval_seconds);
  entry.app_ids = policy.app_ids;
  entry.backup_history_count_to_keep = policy.history_count;
  entry.start_time = two_digits(policy.start_hour) + ":" + two_digits(policy.start_minute);
  entry.is_disable = policy.is_disabled;
  return entry;
}

wire::backup_entry to_entry(const backup::BackupInfo& info) {
  wire::backup_entry entry;
  entry.backup_id = info.backup_id;
  entry.start_time_ms = info.start_time_ms;
  entry.end_time_ms = info.end_time_ms;
  for (const auto& [id, name] : info.tables) entry.app_ids.insert(id);
  return entry;
}

// A malformed time changes nothing, as in Pegasus.
void set_start(PolicyRecord& policy, std::string_view time) {
  const auto start = parse_start_time(time);
  if (!start) return;
  policy.start_hour = start->hour;
  policy.start_minute = start->minute;
}

}  // namespace

std::optional<StartTime> parse_start_time(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  StartTime time;
  const auto read = [](std::string_view digits, int32_t& to) {
    const auto* end = digits.data() + digits.size();
    const auto [stop, failed] = std::from_chars(digits.data(), end, to);
    return failed == std::errc() && stop == end && to >= 0;
  };
  if (!read(text.substr(0, colon), time.hour) || !read(text.substr(colon + 1), time.minute))
    return std::nullopt;
  if (time.hour > kAnyHour || time.minute > 59 || (time.hour == kAnyHour && time.minute != 0))
    return std::nullopt;
  return time;
}

bool is_round_due(const PolicyRecord& policy, int64_t last_start_ms, int64_t now_ms) {
  const auto now = local_time(now_ms);
  const bool is_hour = policy.start_hour == kAnyHour || now.tm_hour == policy.start_hour;
  if (policy.is_disabled || !is_hour) return false;
  if (last_start_ms == 0) return true;
  // A round that began late does not delay the next one further.
  int64_t drift_ms = 0;
  if (policy.start_hour != kAnyHour) {
    const auto last = local_time(last_start_ms);
    drift_ms =
        ((last.tm_hour - policy.start_hour) * 60 + last.tm_min - policy.start_minute) * kMinuteMs;
  }
  return last_start_ms + policy.interval_seconds * 1000 - std::max<int64_t>(drift_ms, 0) <= now_ms;
}

PolicyRecord* BackupPolicies::find(const std::string& name) {
  auto& policies = context_.records.policies;
  const auto found = policies.find(name);
  return found == policies.end() ? nullptr : &found->second;
}

PolicyRound* BackupPolicies::find_round(const std::string& name, int64_t backup_id) {
  auto* policy = find(name);
  if (!policy) return nullptr;
  const auto found = std::ranges::find(policy->rounds, backup_id,
                                       [](const auto& round) { return round.info.backup_id; });
  return found == policy->rounds.end() ? nullptr : &*found;
}

void BackupPolicies::resume() {
  for (const auto& [name, policy] : context_.records.policies)
    for (const auto& round : policy.rounds)
      if (round.info.end_time_ms == 0 && !round.is_failed) {
        running_.insert(name);
        context_.tasks.spawn(work(name, round.info.backup_id));
      }
  context_.tasks.spawn(keep_schedule());
}

Routine<> BackupPolicies::keep_schedule() {
  while (!context_.stopped()) {
    begin_due_rounds();
    co_await context_.clock.sleep_for(kLookAtSchedule);  // no result
  }
}

void BackupPolicies::begin_due_rounds() {
  for (auto& [name, policy] : context_.records.policies) {
    if (running_.contains(name)) continue;
    const auto last = policy.rounds.empty() ? 0 : policy.rounds.back().info.start_time_ms;
    if (is_round_due(policy, last, context_.now_ms())) begin_round(policy);
  }
}

// Tables that are not available, or could not be found in a backup, are left out of the round; when
// none is left, there is no round.
void BackupPolicies::begin_round(PolicyRecord& policy) {
  auto& state = context_.records;
  backup::BackupInfo info{.backup_id = context_.now_ms(),
                          .start_time_ms = context_.now_ms(),
                          .tables = {},
                          .of_policy = true};
  for (const auto app_id : policy.app_ids)
    if (const auto* app = context_.catalog.find_by_id(app_id); app && app->is_available()) {
      const auto checked = backup::check_table_folder(app->info.app_name, app_id);
      if (checked)
        info.tables[app_id] = app->info.app_name;
      else
        context_.log.error(fmt::format("policy {}: {}", policy.name, checked.error().to_string()));
    }
  auto root = backup::root_of("", context_.options.cold_backup_root);
  if (info.tables.empty() || !root) return;
  const auto is_taken = [&](int64_t id) {
    return std::ranges::any_of(state.backups,
                               [&](const auto& each) { return each.first.first == id; });
  };
  while (is_taken(info.backup_id)) ++info.backup_id;
  MetaBatch batch;
  std::vector<BackupRecord> records;
  for (const auto& [app_id, table] : info.tables) {
    records.push_back(
        {.place = {.root = *root, .backup_id = info.backup_id, .table = table, .app_id = app_id},
         .provider = policy.provider,
         .path = "",
         .policy = policy.name,
         .start_ms = info.start_time_ms});
    put_backup(batch, records.back());
  }
  put_round(batch, policy.name, {.info = info});
  if (!context_.save_now(std::move(batch), "recording a round of policy " + policy.name)) return;
  for (auto& record : records)
    state.backups[{info.backup_id, record.place.app_id}] = std::move(record);
  policy.rounds.push_back({.info = info});
  context_.failpoint("backup.job_noted");
  running_.insert(policy.name);
  context_.tasks.spawn(work(policy.name, info.backup_id));
}

// Tables that are dropped meanwhile are left out. When another table fails, so does the round, but
// the rest are tried: all problems are found in one night.
Task<> BackupPolicies::run_round(std::string name, backup::BackupInfo info) {
  std::string failed;
  const auto& backups = context_.records.backups;
  for (const auto& [app_id, table] : std::map(info.tables)) {
    const BackupKey key{info.backup_id, app_id};
    auto record = backups.find(key);
    if (record != backups.end() && record->second.state == JobState::kRunning) {
      co_await jobs_.run_for_policy(key);  // no result
      if (context_.stopped()) co_return fail(Code::kInterrupted, "the server is stopping");
      record = backups.find(key);
    }
    if (record != backups.end() && record->second.state == JobState::kDone) continue;
    const auto* app = context_.catalog.find_by_id(app_id);
    if (record == backups.end() || !app || !app->is_available())
      info.tables.erase(app_id);
    else
      failed += fmt::format("{}{}: {}", failed.empty() ? "table " : "; table ", table,
                            record->second.reason);
  }
  if (!failed.empty()) co_return fail(Code::kRefused, failed);
  if (info.tables.empty()) co_return fail(Code::kNotFound, "all its tables were dropped");
  co_return co_await finish_round(std::move(name), std::move(info));
}

Task<> BackupPolicies::finish_round(std::string name, backup::BackupInfo info) {
  info.end_time_ms = context_.now_ms();
  auto store = CO_TRY(context_.store(find(name)->provider));
  const auto place = CO_TRY(place_of(info.backup_id));
  CO_TRY(co_await context_.write_envs(store, place, info));
  CO_TRY(co_await store.write_file(place.info_file(), backup::encode(info)));
  context_.failpoint("backup.info_written");
  if (auto* round = find_round(name, info.backup_id)) round->info = info;
  co_return Result<void>();
}

Result<backup::Place> BackupPolicies::place_of(int64_t backup_id) const {
  return backup::Place{.root = TRY(backup::root_of("", context_.options.cold_backup_root)),
                       .backup_id = backup_id,
                       .table = ""};
}

// Without its info a partly removed backup is not taken for one.
Task<> BackupPolicies::remove_files(std::string provider, int64_t backup_id) {
  auto store = CO_TRY(context_.store(provider));
  const auto place = CO_TRY(place_of(backup_id));
  CO_TRY(co_await store.remove(place.info_file()));
  co_return co_await store.remove(place.backup_folder());
}

Routine<> BackupPolicies::work(std::string name, int64_t backup_id) {
  auto* round = find_round(name, backup_id);
  if (!round) co_return;
  auto outcome = co_await run_round(name, round->info);
  running_.erase(name);
  if (context_.stopped()) co_return;  // resumed after the next start
  round = find_round(name, backup_id);
  if (!round) co_return;
  if (!outcome) {
    round->is_failed = true;
    round->reason = outcome.error().to_string();
    context_.log.error(fmt::format("policy {}: {}", name, round->reason));
  }
  MetaBatch batch;
  put_round(batch, name, *round);
  co_await context_.save(std::move(batch),
                         "recording the end of a round of policy " + name);  // no result
  if (!outcome)
    if (auto removed = co_await remove_files(find(name)->provider, backup_id); !removed)
      context_.log.error(fmt::format("policy {}: {}", name, removed.error().to_string()));
  co_await remove_old_rounds(name);  // no result
  begin_due_rounds();
}

// Failed rounds have no backup; of the others the newest are kept.
Routine<> BackupPolicies::remove_old_rounds(std::string name) {
  while (!context_.stopped()) {
    auto* policy = find(name);
    if (!policy) co_return;
    const auto whole = std::ranges::count_if(
        policy->rounds, [](const auto& round) { return round.info.end_time_ms != 0; });
    auto oldest = std::ranges::find_if(policy->rounds, [&](const auto& round) {
      return round.info.end_time_ms != 0 ? whole > policy->history_count : round.is_failed;
    });
    if (oldest == policy->rounds.end() || &*oldest == &policy->rounds.back()) co_return;
    const auto backup_id = oldest->info.backup_id;
    if (!oldest->is_failed)
      if (auto removed = co_await remove_files(policy->provider, backup_id); !removed) {
        context_.log.error(fmt::format("policy {}: {}", name, removed.error().to_string()));
        co_return;
      }
    policy = find(name);
    if (!policy) co_return;
    std::erase_if(policy->rounds,
                  [&](const auto& round) { return round.info.backup_id == backup_id; });
    MetaBatch batch;
    remove_round(batch, name, backup_id);
    co_await context_.save(std::move(batch),
                           "forgetting an old round of policy " + name);  // no result
  }
}

wire::configuration_add_backup_policy_response BackupPolicies::add(
    const wire::configuration_add_backup_policy_request& request) {
  wire::configuration_add_backup_policy_response response;
  const auto refuse = [&](std::string hint) {
    response.err.code = ErrorCode::kInvalidParameters;
    response.hint_message = std::move(hint);
    return response;
  };
  if (request.backup_interval_seconds <= kReserveMinutes * 60)
    return refuse("backup interval must be larger than cold_backup_checkpoint_reserve_minutes=" +
                  std::to_string(kReserveMinutes));
  if (request.backup_interval_seconds < kDaySeconds)
    return refuse("backup interval must be >= 86400 (1 day)");
  PolicyRecord policy{.name = request.policy_name,
                      .provider = request.backup_provider_type,
                      .app_ids = {},
                      .interval_seconds = std::min(request.backup_interval_seconds, kMostSeconds),
                      .history_count = std::max(request.backup_history_count_to_keep, 1)};
  for (const auto app_id : request.app_ids) {
    if (!context_.catalog.find_by_id(app_id))
      return refuse("invalid app " + std::to_string(app_id));
    policy.app_ids.insert(app_id);
  }
  if (auto wrong = wrong_name(policy.name); !wrong.empty()) return refuse(wrong);
  auto& policies = context_.records.policies;
  if (policies.contains(policy.name))
    return refuse(
        fmt::format("invalid policy name: '{}', policy name is already exist", policy.name));
  if (!context_.options.providers.contains(policy.provider))
    return refuse("invalid backup_provider_type: " + policy.provider);
  set_start(policy, request.start_time);
  if (!save(std::move(policy), "adding policy "))
    response.err.code = ErrorCode::kFileOperationFailed;
  return response;
}

bool BackupPolicies::save(PolicyRecord policy, const std::string& doing) {
  MetaBatch batch;
  put_policy(batch, policy);
  if (!context_.save_now(std::move(batch), doing + policy.name)) return false;
  auto& kept = context_.records.policies[policy.name];
  kept = std::move(policy);
  begin_due_rounds();
  return true;
}

wire::configuration_modify_backup_policy_response BackupPolicies::modify(
    const wire::configuration_modify_backup_policy_request& request) {
  wire::configuration_modify_backup_policy_response response;
  auto* found = find(request.policy_name);
  if (!found) {
    response.err.code = ErrorCode::kInvalidParameters;
    return response;
  }
  auto policy = *found;
  if (request.__isset.is_disable && request.is_disable) {
    if (running_.contains(policy.name) && !(request.__isset.force_disable && request.force_disable))
      response.err.code = ErrorCode::kBusy;
    else
      policy.is_disabled = true;
  } else if (request.__isset.is_disable) {
    if (!policy.is_disabled) response.hint_message = "policy is already enabled";
    policy.is_disabled = false;
  }
  if (request.__isset.add_appids)
    for (const auto app_id : request.add_appids)
      if (context_.catalog.find_by_id(app_id)) policy.app_ids.insert(app_id);
  if (request.__isset.removal_appids)
    for (const auto app_id : request.removal_appids) policy.app_ids.erase(app_id);
  if (request.__isset.new_backup_interval_sec && request.new_backup_interval_sec >= kDaySeconds)
    policy.interval_seconds = std::min(request.new_backup_interval_sec, kMostSeconds);
  if (request.__isset.backup_history_count_to_keep && request.backup_history_count_to_keep > 0)
    policy.history_count = request.backup_history_count_to_keep;
  if (request.__isset.start_time) set_start(policy, request.start_time);
  if (!save(std::move(policy), "changing policy "))
    response.err.code = ErrorCode::kFileOperationFailed;
  return response;
}

wire::configuration_query_backup_policy_response BackupPolicies::query(
    const wire::configuration_query_backup_policy_request& request) const {
  wire::configuration_query_backup_policy_response response;
  const auto& policies = context_.records.policies;
  std::vector<const PolicyRecord*> wanted;
  for (const auto& name : request.policy_names) {
    const auto found = policies.find(name);
    if (found == policies.end()) {
      response.err.code = ErrorCode::kInvalidParameters;
      response.__set_hint_msg("invalid policy_name " + name);
      return response;
    }
    wanted.push_back(&found->second);
  }
  if (request.policy_names.empty())
    for (const auto& [name, policy] : policies) wanted.push_back(&policy);
  for (const auto* policy : wanted) {
    response.policys.push_back(to_entry(*policy));
    std::vector<wire::backup_entry> rounds;
    for (auto round = policy->rounds.rbegin();
         round != policy->rounds.rend() && int32_t(rounds.size()) < request.backup_info_count;
         ++round)
      rounds.push_back(to_entry(round->info));
    response.backup_infos.push_back(std::move(rounds));
  }
  return response;
}

}  // namespace pegmove::server::meta
