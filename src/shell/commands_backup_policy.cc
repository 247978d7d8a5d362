// Policies of backups. Pegasus: src/shell/commands/cold_backup.cpp.
#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include "base/text.h"
#include "client/backups.h"
#include "service/local_time.h"
#include "shell/handlers.h"
#include "shell/report.h"
#include "shell/session.h"
#include "shell/words.h"

namespace pegmove::shell {
namespace {

constexpr OptionSpec kAddOptions[] = {
    {'p', "policy_name", true}, {'b', "backup_provider_type", true},
    {'a', "app_ids", true},     {'i', "backup_interval_seconds", true},
    {'s', "start_time", true},  {'c', "backup_history_cnt", true}};
constexpr OptionSpec kModifyOptions[] = {
    {'p', "policy_name", true},          {'a', "add_app", true},
    {'r', "remove_app", true},           {'i', "backup_interval_seconds", true},
    {'c', "backup_history_count", true}, {'s', "start_time", true}};
constexpr OptionSpec kQueryOptions[] = {
    {'p', "policy_name", true}, {'b', "backup_info_cnt", true}, {'j', "json"}};
constexpr OptionSpec kListOptions[] = {{'j', "json"}};
constexpr OptionSpec kDisableOptions[] = {{'p', "policy_name", true}, {'f', "force"}};
constexpr OptionSpec kEnableOptions[] = {{'p', "policy_name", true}};

Result<std::vector<int32_t>> parse_ids(const std::string& text) {
  std::vector<int32_t> ids;
  for (const auto& word : base::split(text, ',')) {
    const auto id = parse_int32(word);
    if (!id || *id <= 0) return fail(Code::kInvalidArgument, "invalid app_id, " + word);
    ids.push_back(*id);
  }
  return ids;
}

// "h:m", 0 to 24 and 0 to 59.
Result<std::string> parse_start_time(const std::string& text) {
  const auto colon = text.find(':');
  const auto hour = parse_int32(text.substr(0, colon));
  const auto minute =
      colon == std::string::npos ? std::nullopt : parse_int32(text.substr(colon + 1));
  if (hour && minute && *hour >= 0 && *minute >= 0 && *minute <= 59 &&
      (*hour < 24 || (*hour == 24 && *minute == 0)))
    return text;
  return fail(Code::kInvalidArgument,
              fmt::format("invalid start time: {}, should like this hour:minute", text));
}

Result<int64_t> parse_positive(const Options& options, char letter, const std::string& name) {
  const auto number = parse_int64(options.text(letter));
  if (number && *number > 0) return *number;
  return fail(Code::kInvalidArgument,
              fmt::format("invalid {}: {}, should > 0", name, options.text(letter)));
}

Result<client::BackupPolicy> parse_add(const Options& options) {
  client::BackupPolicy policy{.name = options.text('p'), .provider = options.text('b')};
  const auto ids = TRY(parse_ids(options.text('a')));
  policy.app_ids = {ids.begin(), ids.end()};
  if (policy.name.empty()) return fail(Code::kInvalidArgument, "policy_name should not be empty");
  if (policy.provider.empty())
    return fail(Code::kInvalidArgument, "backup_provider_type should not be empty");
  if (policy.app_ids.empty()) return fail(Code::kInvalidArgument, "app_ids should not be empty");
  policy.interval_seconds = TRY(parse_positive(options, 'i', "backup_interval_seconds"));
  policy.history_count = int32_t(
      std::min<int64_t>(TRY(parse_positive(options, 'c', "backup_history_cnt")), INT32_MAX));
  if (options.has('s')) policy.start_time = TRY(parse_start_time(options.text('s')));
  return policy;
}

Result<client::BackupPolicyChange> parse_change(const Options& options) {
  client::BackupPolicyChange change{.name = options.text('p')};
  if (change.name.empty()) return fail(Code::kInvalidArgument, "empty policy name");
  change.add_apps = TRY(parse_ids(options.text('a')));
  change.remove_apps = TRY(parse_ids(options.text('r')));
  if (options.has('i'))
    change.interval_seconds = TRY(parse_positive(options, 'i', "backup_interval_seconds"));
  if (options.has('c'))
    change.history_count = int32_t(
        std::min<int64_t>(TRY(parse_positive(options, 'c', "backup_history_count")), INT32_MAX));
  if (options.has('s')) change.start_time = TRY(parse_start_time(options.text('s')));
  return change;
}

std::string ids_text(const std::set<int32_t>& ids) {
  std::string text;
  for (const auto id : ids) text += (text.empty() ? "" : ", ") + std::to_string(id);
  return "{" + text + "}";
}

Table policy_table(const client::BackupPolicy& policy) {
  auto table = Table::with_values(policy.name);
  table.add_value("backup_provider_type", policy.provider);
  table.add_value("backup_interval", std::to_string(policy.interval_seconds) + "s");
  table.add_value("app_ids", ids_text(policy.app_ids));
  table.add_value("start_time", policy.start_time);
  table.add_value("status", policy.is_disabled ? "disabled" : "enabled");
  table.add_value("backup_history_count", std::to_string(policy.history_count));
  return table;
}

Table rounds_table(const client::BackupPolicyState& state) {
  auto table = Table::with_columns(state.policy.name + "_backup_info",
                                   {{"id"}, {"start_time"}, {"end_time"}, {"app_ids"}});
  for (const auto& round : state.rounds)
    table.add_row({std::to_string(round.backup_id), service::date_time_or_dash(round.start_time_ms),
                   service::date_time_or_dash(round.end_time_ms), ids_text(round.app_ids)});
  return table;
}

Outcome show_policies(Session& session, const Options& options, bool with_rounds) {
  int32_t rounds = 0;
  if (with_rounds) {
    auto wanted = options.number('b', "backup_info_cnt", 3);
    if (!wanted || *wanted <= 0) {
      session.err() << "ERROR: invalid backup_info_cnt: " << options.text('b') << "\n";
      return Outcome::kWrongUsage;
    }
    rounds = *wanted;
  }
  auto found = session.run(client::backup_policies(
      *session.cluster(), base::split(options.text('p'), ','), rounds, session.meta_deadline()));
  if (!found) {
    session.err() << (with_rounds ? "query" : "ls")
                  << " backup policy failed: " << meta_error_text(found.error()) << "\n";
    return Outcome::kFailed;
  }
  TableSet tables;
  for (const auto& state : *found) {
    tables.add(policy_table(state.policy));
    if (with_rounds) tables.add(rounds_table(state));
  }
  return print_tables(session, tables, report_options(options));
}

// Sends the change; `verb` names it in what is said.
Outcome change_policy(Session& session, const client::BackupPolicyChange& change,
                      const std::string& verb) {
  auto changed = session.run(
      client::modify_backup_policy(*session.cluster(), change, session.meta_deadline()));
  if (!changed) {
    session.err() << verb
                  << " backup policy failed, with err = " << meta_error_text(changed.error())
                  << "\n";
    return Outcome::kFailed;
  }
  if (verb == "modify")
    session.out() << "Modify policy result: ERR_OK\n";
  else
    session.out() << verb << " policy result: ERR_OK\n";
  if (!changed->empty())
    session.out() << "=============================\n"
                  << *changed << "\n=============================\n";
  return Outcome::kDone;
}

}  // namespace

Outcome run_add_backup_policy(Session& session, Words words) {
  auto options = Options::parse(words, kAddOptions);
  if (!options) return wrong_usage(session, options.error());
  auto policy = parse_add(*options);
  if (!policy) return wrong_usage(session, policy.error());
  auto added =
      session.run(client::add_backup_policy(*session.cluster(), *policy, session.meta_deadline()));
  if (!added) {
    session.err() << "add backup policy failed, err = " << meta_error_text(added.error()) << "\n";
    return Outcome::kFailed;
  }
  session.out() << "add backup policy succeed, policy_name = " << policy->name << "\n";
  return Outcome::kDone;
}

Outcome run_ls_backup_policy(Session& session, Words words) {
  auto options = Options::parse(words, kListOptions);
  if (!options) return wrong_usage(session, options.error());
  return show_policies(session, *options, false);
}

Outcome run_query_backup_policy(Session& session, Words words) {
  auto options = Options::parse(words, kQueryOptions);
  if (!options) return wrong_usage(session, options.error());
  if (options->text('p').empty()) return Outcome::kWrongUsage;
  return show_policies(session, *options, true);
}

Outcome run_modify_backup_policy(Session& session, Words words) {
  auto options = Options::parse(words, kModifyOptions);
  if (!options) return wrong_usage(session, options.error());
  auto change = parse_change(*options);
  if (!change) return wrong_usage(session, change.error());
  return change_policy(session, *change, "modify");
}

Outcome run_disable_backup_policy(Session& session, Words words) {
  auto options = Options::parse(words, kDisableOptions);
  if (!options) return wrong_usage(session, options.error());
  if (options->text('p').empty()) {
    session.err() << "invalid command, should be in the form of '<-p|--policy_name str> "
                     "[-f|--force]'\n";
    return Outcome::kWrongUsage;
  }
  return change_policy(
      session,
      {.name = options->text('p'), .is_disabled = true, .force_disable = options->has('f')},
      "disable");
}

Outcome run_enable_backup_policy(Session& session, Words words) {
  auto options = Options::parse(words, kEnableOptions);
  if (!options) return wrong_usage(session, options.error());
  if (options->text('p').empty()) return Outcome::kWrongUsage;
  return change_policy(session, {.name = options->text('p'), .is_disabled = false}, "enable");
}

}  // namespace pegmove::shell
