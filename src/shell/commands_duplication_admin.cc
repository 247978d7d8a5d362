// Duplications of the current table as admin-cli has them: `duplication list`, `add`, `remove`,
// `pause`, `start`. Source: admin-cli/executor/duplication.go and its Go client in Pegasus.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <ostream>

#include "base/json_text.h"
#include "client/duplications.h"
#include "shell/handlers.h"
#include "shell/report.h"
#include "shell/session.h"

namespace pegmove::shell {
namespace {

using client::Duplication;
using client::DuplicationStatus;

constexpr OptionSpec kAdminDupOptions[] = {
    {'c', "cluster", true}, {'p', "checkpoint"}, {'d', "dupid", true}};

// "error: AddDuplication failed: ErrorCode({Errno:ERR_DUP_EXIST}) [hint: ...]"
Outcome admin_failed(Session& session, const char* request, const std::string& code,
                     const std::string& hint) {
  session.err() << fmt::format("error: {} failed: ErrorCode({{Errno:{}}}){}\n", request, code,
                               hint.empty() ? "" : fmt::format(" [hint: {}]", hint));
  return Outcome::kFailed;
}

Outcome admin_failed(Session& session, const char* request, const Error& error) {
  return admin_failed(session, request, code_text(error), hint_of(error));
}

nlohmann::ordered_json admin_json(const Duplication& duplication) {
  auto partitions = nlohmann::ordered_json::object();
  for (const auto& [index, state] : duplication.partitions)
    partitions[std::to_string(index)] = {{"confirmed_decree", state.confirmed_decree},
                                         {"last_committed_decree", state.last_committed_decree}};
  return {{"dupid", duplication.id},
          {"status", duplication_status_name(duplication.status)},
          {"remote", duplication.remote},
          {"create_ts", duplication.create_ms},
          {"fail_mode", duplication_fail_mode_name(duplication.fail_mode)},
          {"remote_app_name", duplication.remote_table},
          {"remote_replica_count", duplication.remote_replica_count},
          {"partition_states", std::move(partitions)}};
}

Outcome admin_list(Session& session) {
  const auto table = session.run(client::table_duplications(
      *session.cluster(), session.settings().table, session.meta_deadline()));
  if (!table) return admin_failed(session, "QueryDuplication", table.error());
  auto list = nlohmann::ordered_json::array();
  for (const auto& duplication : table->duplications) list.push_back(admin_json(duplication));
  session.out() << base::json_text(list, 2, base::NoUtf8::kReplace) << "\n";
  return Outcome::kDone;
}

Outcome admin_add(Session& session, const Options& options) {
  if (options.text('c').empty()) {
    session.err() << "error: cluster cannot be empty\n";
    return Outcome::kWrongUsage;
  }
  const auto added = session.run(client::add_duplication(*session.cluster(),
                                                         {.table = session.settings().table,
                                                          .remote = options.text('c'),
                                                          .with_checkpoint = options.has('p')},
                                                         session.meta_deadline()));
  if (!added) return admin_failed(session, "AddDuplication", added.error());
  if (added->has_existed) return admin_failed(session, "AddDuplication", "ERR_DUP_EXIST", "");
  session.out() << fmt::format("successfully add duplication [dupid: {}]\n", added->id);
  return Outcome::kDone;
}

Outcome admin_change(Session& session, const Options& options, DuplicationStatus status) {
  const auto id = parse_int32(options.text('d'));
  if (!id) {
    session.err() << (options.has('d') ? fmt::format("error: invalid dupid {}\n", options.text('d'))
                                       : "error: dupid cannot be empty\n");
    return Outcome::kWrongUsage;
  }
  const auto& table = session.settings().table;
  const auto changed = session.run(client::set_duplication_status(*session.cluster(), table, *id,
                                                                  status, session.meta_deadline()));
  if (!changed) return admin_failed(session, "ModifyDuplication", changed.error());
  session.out() << fmt::format("{} table \"{}\" done [dupid: {}]\n",
                               duplication_status_name(status), table, *id);
  return Outcome::kDone;
}

}  // namespace

Outcome run_duplication(Session& session, Words words) {
  const auto options = Options::parse(words, kAdminDupOptions);
  if (!options) return wrong_usage(session, options.error());
  if (options->rest().size() != 1) return Outcome::kWrongUsage;
  const auto& verb = options->rest()[0];
  if (verb == "list" || verb == "ls") return admin_list(session);
  if (verb == "add") return admin_add(session, *options);
  if (verb == "remove" || verb == "rm")
    return admin_change(session, *options, DuplicationStatus::kRemoved);
  if (verb == "pause") return admin_change(session, *options, DuplicationStatus::kPause);
  if (verb == "start") return admin_change(session, *options, DuplicationStatus::kLog);
  return Outcome::kWrongUsage;
}

}  // namespace pegmove::shell
