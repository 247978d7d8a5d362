// Backups that are asked for once, and restores: the commands of Pegasus's shell, and those of
// admin-cli that its documentation types.
#include <iomanip>
#include <ostream>

#include "client/backups.h"
#include "service/local_time.h"
#include "shell/handlers.h"
#include "shell/report.h"
#include "shell/session.h"
#include "shell/words.h"

namespace pegmove::shell {
namespace {

using client::RestoreState;

constexpr OptionSpec kRestoreAppOptions[] = {
    {'c', "old_cluster_name", true}, {'p', "old_policy_name", true},
    {'a', "old_app_name", true},     {'i', "old_app_id", true},
    {'t', "timestamp", true},        {'b', "backup_provider_type", true},
    {'n', "new_app_name", true},     {'s', "skip_bad_partition"},
    {'r', "restore_path", true}};
// admin-cli's names of the same letters.
constexpr OptionSpec kRestoreOptions[] = {
    {'c', "oldClusterName", true}, {'p', "oldPolicyName", true}, {'a', "oldTableName", true},
    {'i', "oldTableID", true},     {'t', "timestamp", true},     {'b', "providerType", true},
    {'n', "newTableName", true},   {'s', "skipBadPartition"},    {'r', "restorePath", true}};
constexpr OptionSpec kDetailedOption[] = {{'d', "detailed"}};
constexpr async::milliseconds kBetweenLooks{200};

Result<client::RestoreRequest> parse_restore(const Options& options) {
  for (const auto& [letter, name] : {std::pair('c', "cluster name"),
                                     {'a', "table name"},
                                     {'i', "table id"},
                                     {'t', "timestamp"},
                                     {'b', "provider type"}})
    if (options.text(letter).empty())
      return fail(Code::kInvalidArgument, std::string(name) + " cannot be empty");
  client::RestoreRequest request{.cluster = options.text('c'),
                                 .policy = options.text('p'),
                                 .table = options.text('a'),
                                 .new_table = options.text('n'),
                                 .provider = options.text('b'),
                                 .skip_bad_partition = options.has('s'),
                                 .path = options.text('r')};
  const auto app_id = parse_int32(options.text('i'));
  const auto backup_id = parse_int64(options.text('t'));
  if (!app_id || *app_id <= 0)
    return fail(Code::kInvalidArgument, "invalid app_id, " + options.text('i'));
  if (!backup_id || *backup_id <= 0)
    return fail(Code::kInvalidArgument, "invalid timestamp, " + options.text('t'));
  request.app_id = *app_id;
  request.backup_id = *backup_id;
  return request;
}

Routine<bool> wait_a_moment(Clock& clock) {
  co_await clock.sleep_for(kBetweenLooks);  // no result
  co_return true;
}

int32_t percent_of(const std::vector<client::RestoredPartitionStatus>& partitions) {
  int64_t sum = 0;
  for (const auto& partition : partitions) sum += partition.permille;
  return partitions.empty() ? 100 : int32_t(sum / int64_t(partitions.size()) / 10);
}

// Until every partition is done or skipped.
Outcome wait_for_restore(Session& session, int32_t app_id, const std::string& table) {
  session.out() << "Wait table \"" << table << "\" become healthy ..." << std::endl;
  int32_t last = -1;
  while (true) {
    auto status =
        session.run(client::restore_status(*session.cluster(), app_id, session.meta_deadline()));
    if (!status) {
      session.err() << "ERROR: restore failed: " << meta_error_text(status.error()) << "\n";
      return Outcome::kFailed;
    }
    bool is_over = true;
    for (const auto& partition : *status) is_over = is_over && partition.permille >= 1000;
    if (const auto percent = percent_of(*status); percent != last) {
      session.out() << percent << "%" << std::endl;
      last = percent;
    }
    if (is_over) break;
    if (session.stop_signal().requested()) {
      session.err() << "ERROR: stopped waiting; `query_restore_status " << app_id
                    << "` tells how far it is\n";
      return Outcome::kFailed;
    }
    session.run([](Clock& clock) -> Task<bool> {
      co_return co_await wait_a_moment(clock);
    }(session.clock()));
  }
  session.out() << "Done!\n";
  return Outcome::kDone;
}

const char* word_of(const client::RestoredPartitionStatus& partition) {
  switch (partition.state) {
    case RestoreState::kDone: return "ok";
    case RestoreState::kOngoing: return "ongoing";
    case RestoreState::kSkipped: return "skip";
    case RestoreState::kOther: return "unknown";
  }
  return "unknown";
}

void print_partitions(std::ostream& out,
                      const std::vector<client::RestoredPartitionStatus>& partitions) {
  constexpr int kWidth = 14;
  out << std::setw(kWidth) << std::left << "pid" << std::setw(kWidth) << "progress(%)"
      << std::setw(kWidth) << "restore_status" << "\n";
  for (size_t i = 0; i < partitions.size(); ++i)
    out << std::setw(kWidth) << std::left << i << std::setw(kWidth) << partitions[i].permille / 10
        << std::setw(kWidth) << word_of(partitions[i]) << "\n";
  out << "\n";
}

constexpr const char* kAnnotations =
    "\nannotations:\n"
    "    ok : the partition is restored\n"
    "    ongoing : the partition is being restored\n"
    "    skip : the partition's backup is damaged, so that it was made empty\n"
    "    unknown : the partition's state is not known\n";

}  // namespace

Outcome run_restore_app(Session& session, Words words) {
  auto options = Options::parse(words, kRestoreAppOptions);
  if (!options) return wrong_usage(session, options.error());
  auto request = parse_restore(*options);
  if (!request) {
    session.err() << "invalid parameter: " << request.error().message() << "\n";
    return Outcome::kWrongUsage;
  }
  if (!request->path.empty())
    session.out() << "restore app from the specified path : " << request->path << "\n";
  auto app_id =
      session.run(client::start_restore(*session.cluster(), *request, session.meta_deadline()));
  if (app_id) {
    session.out() << "\tnew app_id = " << *app_id << "\n";
    return Outcome::kDone;
  }
  if (app_id.error().code() == Code::kNotFound)
    session.out() << "restore app failed: couldn't find valid app metadata\n";
  session.err() << "restore app failed with err(" << meta_error_text(app_id.error()) << ")\n";
  return Outcome::kFailed;
}

Outcome run_query_restore_status(Session& session, Words words) {
  auto options = Options::parse(words, kDetailedOption);
  if (!options) return wrong_usage(session, options.error());
  if (options->rest().size() != 1) {
    session.err() << "invalid parameter\n";
    return Outcome::kWrongUsage;
  }
  const auto& word = options->rest().front();
  const auto app_id = parse_int32(word);
  if (!app_id || *app_id <= 0) {
    session.err() << "invalid restore_app_id(" << word << ")\n";
    return Outcome::kWrongUsage;
  }
  auto status =
      session.run(client::restore_status(*session.cluster(), *app_id, session.meta_deadline()));
  if (!status) {
    if (status.error().code() == Code::kNotFound)
      session.err() << "invalid restore_app_id(" << *app_id << ")\n";
    else if (status.error().code() == Code::kRefused)
      session.err() << "restore failed, because some partition's data is damaged on cold backup "
                       "media; `remote_command -t meta-server restore.status "
                    << *app_id << "` of an embedded cluster tells which\n";
    else
      session.err() << "query restore status failed: " << meta_error_text(status.error()) << "\n";
    return Outcome::kFailed;
  }
  if (options->has('d')) print_partitions(session.out(), *status);
  session.out() << "the overall progress of restore is " << percent_of(*status) << "%\n";
  if (options->has('d')) session.out() << kAnnotations;
  return Outcome::kDone;
}

Outcome run_backup(Session& session, Words words) {
  auto options = Options::parse(words, {});
  if (!options) return wrong_usage(session, options.error());
  const auto& rest = options->rest();
  if (rest.size() < 2 || rest.size() > 3) return Outcome::kWrongUsage;
  const auto app_id = parse_int32(rest[0]);
  if (!app_id) {
    session.err() << "ERROR: '" << rest[0] << "' is no id of a table; `ls` shows them\n";
    return Outcome::kWrongUsage;
  }
  auto started =
      session.run(client::start_backup(*session.cluster(), *app_id, rest[1],
                                       rest.size() > 2 ? rest[2] : "", session.meta_deadline()));
  if (!started) {
    session.err() << "ERROR: " << meta_error_text(started.error()) << "\n";
    return Outcome::kFailed;
  }
  session.out() << "[hint]: " << started->hint << "\nBackupID: " << started->backup_id << "\n";
  return Outcome::kDone;
}

Outcome run_query_backup_status(Session& session, Words words) {
  auto options = Options::parse(words, {});
  if (!options) return wrong_usage(session, options.error());
  const auto& rest = options->rest();
  if (rest.empty() || rest.size() > 2) return Outcome::kWrongUsage;
  const auto app_id = parse_int32(rest[0]);
  const auto backup_id = rest.size() > 1 ? parse_int64(rest[1]) : std::optional<int64_t>(0);
  if (!app_id || !backup_id) {
    session.err() << "ERROR: '" << (app_id ? rest[1] : rest[0]) << "' is no id\n";
    return Outcome::kWrongUsage;
  }
  auto status = session.run(
      client::backup_status(*session.cluster(), *app_id, *backup_id, session.meta_deadline()));
  if (!status) {
    session.err() << "ERROR: " << meta_error_text(status.error()) << "\n";
    return Outcome::kFailed;
  }
  session.out() << "[hint]: " << status->hint << "\n";
  auto table = Table::with_columns("", {{"BackupID"},
                                        {"AppName"},
                                        {"StartTime"},
                                        {"EndTime"},
                                        {"Status"},
                                        {"BackupProviderType"},
                                        {"BackupPath"}});
  for (const auto& item : status->items)
    table.add_row({std::to_string(item.backup_id), item.table,
                   service::date_time_or_dash(item.start_time_ms),
                   service::date_time_or_dash(item.end_time_ms),
                   item.is_failed          ? "failed"
                   : item.end_time_ms == 0 ? "in progress"
                                           : "completed",
                   item.provider, item.path});
  return print_table(session, table, {});
}

Outcome run_restore(Session& session, Words words) {
  auto options = Options::parse(words, kRestoreOptions);
  if (!options) return wrong_usage(session, options.error());
  auto request = parse_restore(*options);
  if (!request) return wrong_usage(session, request.error());
  auto app_id =
      session.run(client::start_restore(*session.cluster(), *request, session.meta_deadline()));
  if (!app_id) {
    session.err() << "ERROR: " << meta_error_text(app_id.error()) << "\n";
    return Outcome::kFailed;
  }
  session.out() << "new AppID: " << *app_id << "\n";
  return wait_for_restore(session, *app_id,
                          request->new_table.empty() ? request->table : request->new_table);
}

}  // namespace pegmove::shell
