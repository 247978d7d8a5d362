// Duplications of a table: add, show, start, pause, remove. Pegasus:
// src/shell/commands/duplication.cpp.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <ostream>

#include "base/json_text.h"
#include "client/duplications.h"
#include "shell/handlers.h"
#include "shell/report.h"
#include "shell/session.h"
#include "shell/time_text.h"
#include "shell/words.h"
#include "wire/error_code.h"

namespace pegmove::shell {
namespace {

using client::Duplication;
using client::DuplicationFailMode;
using client::DuplicationStatus;

constexpr OptionSpec kAddDupOptions[] = {
    {'s', "sst"}, {'a', "remote_app_name", true}, {'r', "remote_replica_count", true}};
constexpr OptionSpec kQueryDupOptions[] = {{'d', "detail"}};

Outcome wrong_dup_usage(Session& session, const std::string& why) {
  session.err() << "ERROR: " << why << "\n";
  return Outcome::kWrongUsage;
}

// The words behind the command must be a table and `name`.
std::optional<std::string> missing_param(const Options& options, const char* name) {
  if (options.rest().empty()) return "missing param <app_name>";
  if (options.rest().size() < 2 && name) return fmt::format("missing param <{}>", name);
  return std::nullopt;
}

void print_add_failed(Session& session, const std::string& what, const Error& error) {
  session.err() << fmt::format("ERROR: adding duplication failed [{}, error: {}]\n", what,
                               code_text(error));
  if (const auto hint = hint_of(error); !hint.empty())
    session.err() << "ERROR: detail:\n  " << hint << "\n";
}

void print_added(Session& session, const client::DuplicationRequest& request,
                 const client::AddedDuplication& added) {
  auto& out = session.out();
  out << (added.has_existed ? "WARNING: duplication has been existing"
                            : "adding duplication succeed");
  out << fmt::format(" [app_name: {}, remote_cluster_name: {}, appid: {}, dupid: {}", request.table,
                     request.remote, added.app_id, added.id);
  if (!added.has_existed)
    out << ", is_duplicating_checkpoint: " << text_of(request.with_checkpoint);
  if (added.remote_table) out << ", remote_app_name: " << *added.remote_table;
  if (added.remote_replica_count) out << ", remote_replica_count: " << *added.remote_replica_count;
  out << "]\n";
  if (!added.remote_table)
    out << fmt::format(
        "WARNING: meta server does NOT support specifying remote_app_name, remote_app_name might "
        "has been specified with '{}'\n",
        request.table);
  if (!added.remote_replica_count)
    out << fmt::format(
        "WARNING: meta server does NOT support specifying remote_replica_count, "
        "remote_replica_count might has been specified with the replica count of '{}'\n",
        request.table);
}

nlohmann::json detail_of(const Duplication& duplication) {
  auto partitions = nlohmann::json::object();
  for (const auto& [index, state] : duplication.partitions) {
    auto& partition = partitions[std::to_string(index)];
    partition = {{"confirmed_decree", state.confirmed_decree},
                 {"last_committed_decree", state.last_committed_decree}};
    if (!state.error.empty()) partition["error"] = state.error;
    if (!state.waits_for.empty()) partition["waits_for"] = state.waits_for;
  }
  nlohmann::json detail{{"dupid", duplication.id},
                        {"create_ts", date_time_text(duplication.create_ms)},
                        {"remote", duplication.remote},
                        {"status", duplication_status_name(duplication.status)},
                        {"fail_mode", duplication_fail_mode_name(duplication.fail_mode)},
                        {"remote_app_name", duplication.remote_table},
                        {"remote_replica_count", duplication.remote_replica_count},
                        {"partition_states", std::move(partitions)}};
  if (!duplication.waits_for.empty()) detail["waits_for"] = duplication.waits_for;
  return detail;
}

std::string details_text(const client::TableDuplications& table) {
  nlohmann::json json;
  int number = 0;
  for (const auto& duplication : table.duplications) {
    json["appid"] = table.app_id;
    json[std::to_string(++number)] = detail_of(duplication);
  }
  return base::json_text(json, -1, base::NoUtf8::kReplace);
}

// As in Pegasus, the table is printed again with each line more.
std::string list_text(const client::TableDuplications& table) {
  auto list =
      Table::with_columns("", {{"dup_id"}, {"status"}, {"remote cluster"}, {"create time"}});
  std::string text;
  for (const auto& duplication : table.duplications) {
    list.add_row({std::to_string(duplication.id), duplication_status_name(duplication.status),
                  duplication.remote, date_time_ms_text(duplication.create_ms)});
    text += list.to_text() + "\n";
  }
  return text;
}

Outcome finish_change(Session& session, const std::string& what, const Result<void>& done) {
  if (done) {
    session.out() << what << " succeed\n";
    return Outcome::kDone;
  }
  const bool is_unknown = done.error().wire_code() == int(wire::ErrorCode::kObjectNotFound);
  session.err() << fmt::format("ERROR: {} failed, error={}{}\n", what, code_text(done.error()),
                               is_unknown ? " [duplication not found]" : "");
  return Outcome::kFailed;
}

Outcome change_status(Session& session, Words words, DuplicationStatus status, const char* doing) {
  if (words.size() < 2) return Outcome::kWrongUsage;
  const auto id = parse_int32(words[1]);
  if (!id) return wrong_dup_usage(session, "parsing " + words[1] + " as positive int failed");
  return finish_change(session, fmt::format("{} duplication({}) for app {}", doing, *id, words[0]),
                       session.run(client::set_duplication_status(
                           *session.cluster(), words[0], *id, status, session.meta_deadline())));
}

}  // namespace

Outcome run_add_dup(Session& session, Words words) {
  const auto options = Options::parse(words, kAddDupOptions);
  if (!options) return wrong_usage(session, options.error());
  if (const auto missing = missing_param(*options, "remote_cluster_name"))
    return wrong_dup_usage(session, *missing);
  const auto replica_count = options->number('r', "remote_replica_count", 0);
  if (!replica_count) return wrong_usage(session, replica_count.error());
  const client::DuplicationRequest request{
      .table = options->rest()[0],
      .remote = options->rest()[1],
      .with_checkpoint = options->has('s'),
      .remote_table = options->has('a') ? options->text('a') : options->rest()[0],
      .remote_replica_count = *replica_count};
  if (request.remote == session.cluster_word() || request.remote == session.cluster()->name()) {
    session.err() << "ERROR: illegal operation: adding duplication to itself [remote: "
                  << request.remote << "]\n";
    return Outcome::kFailed;
  }
  const auto what = fmt::format(
      "app_name: {}, remote_cluster_name: {}, is_duplicating_checkpoint: {}, remote_app_name: {}, "
      "remote_replica_count: {}",
      request.table, request.remote, text_of(request.with_checkpoint), request.remote_table,
      request.remote_replica_count);
  session.out() << "trying to add duplication [" << what << "]\n";
  const auto added =
      session.run(client::add_duplication(*session.cluster(), request, session.meta_deadline()));
  if (added) {
    print_added(session, request, *added);
    return Outcome::kDone;
  }
  print_add_failed(session, what, added.error());
  return Outcome::kFailed;
}

Outcome run_query_dup(Session& session, Words words) {
  const auto options = Options::parse(words, kQueryDupOptions);
  if (!options) {
    for (const auto& word : words)
      if (word.starts_with('-') && word != "-d" && word != "--detail")
        return wrong_dup_usage(session, "unknown flag " + word.substr(word.find_first_not_of('-')));
    return wrong_usage(session, options.error());
  }
  if (options->rest().size() > 1) return wrong_dup_usage(session, "too many params");
  if (const auto missing = missing_param(*options, nullptr))
    return wrong_dup_usage(session, *missing);
  const auto& name = options->rest()[0];
  const auto table =
      session.run(client::table_duplications(*session.cluster(), name, session.meta_deadline()));
  if (!table) {
    session.err() << fmt::format("ERROR: querying duplications of app [{}] failed, error={}\n",
                                 name, code_text(table.error()));
    return Outcome::kFailed;
  }
  if (options->has('d'))
    session.out() << fmt::format("duplications of app [{}] in detail:\n{}\n\n", name,
                                 details_text(*table));
  else
    session.out() << fmt::format("duplications of app [{}] are listed as below:\n{}", name,
                                 list_text(*table));
  return Outcome::kDone;
}

Outcome run_remove_dup(Session& session, Words words) {
  return change_status(session, words, DuplicationStatus::kRemoved, "removing");
}

Outcome run_start_dup(Session& session, Words words) {
  return change_status(session, words, DuplicationStatus::kLog, "starting");
}

Outcome run_pause_dup(Session& session, Words words) {
  return change_status(session, words, DuplicationStatus::kPause, "pausing");
}

Outcome run_set_dup_fail_mode(Session& session, Words words) {
  if (words.size() > 3) return wrong_dup_usage(session, "too many params");
  const auto word = [&words](size_t i) { return i < words.size() ? words[i] : std::string(); };
  const auto id = parse_int32(word(1));
  if (!id) return wrong_dup_usage(session, "invalid dup_id " + word(1));
  const auto mode = word(2);
  if (mode != "slow" && mode != "skip")
    return wrong_dup_usage(session, "fail_mode must be \"slow\" or  \"skip\": " + mode);
  return finish_change(
      session, fmt::format("set duplication({}) fail_mode ({}) for app {}", *id, mode, word(0)),
      session.run(client::set_duplication_fail_mode(
          *session.cluster(), word(0), *id,
          mode == "slow" ? DuplicationFailMode::kSlow : DuplicationFailMode::kSkip,
          session.meta_deadline())));
}

}  // namespace pegmove::shell
