// Making tables, dropping them, having them back, giving them other names.
#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include "base/table_name.h"
#include "shell/handlers.h"
#include "shell/report.h"
#include "shell/session.h"

namespace pegmove::shell {
namespace {

constexpr OptionSpec kCreateOptions[] = {{'p', "partition_count", true},
                                         {'r', "replica_count", true},
                                         {'f', "fail_if_exist"},
                                         {'i', "atomic_idempotent"},
                                         {'e', "envs", true}};
constexpr OptionSpec kDropOptions[] = {{'r', "reserve_seconds", true}};
constexpr async::milliseconds kReadyTimeout{3'600'000};
constexpr int32_t kUsualReplicas = 3;

// "k1=v1,k2=v2".
Result<std::map<std::string, std::string>> parse_envs(std::string_view text) {
  std::map<std::string, std::string> envs;
  while (!text.empty()) {
    auto pair = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    auto equals = pair.find('=');
    if (equals == pair.npos || equals == 0)
      return fail(Code::kInvalidArgument,
                  fmt::format("invalid envs '{}', should be k1=v1,k2=v2...", pair));
    envs[std::string(pair.substr(0, equals))] = pair.substr(equals + 1);
  }
  return envs;
}

Result<client::CreateOptions> parse_create(const Options& options) {
  client::CreateOptions create;
  create.partition_count = TRY(options.number('p', "partition_count", create.partition_count));
  if (options.has('r')) create.replica_count = TRY(options.number('r', "replica_count", 0));
  create.fail_if_exists = options.has('f');
  create.atomic_idempotent = options.has('i');
  create.envs = TRY(parse_envs(options.text('e')));
  return create;
}

Result<void> check_create(const std::string& name, const client::CreateOptions& create) {
  TRY(base::check_table_name(name));
  if (create.partition_count < 1)
    return fail(Code::kInvalidArgument,
                fmt::format("create app {} failed: partition_count should >= 1", name));
  if (create.replica_count && *create.replica_count < 1)
    return fail(Code::kInvalidArgument,
                fmt::format("create app {} failed: replica_count should >= 1", name));
  return {};
}

// Without -r, says when the cluster has too few servers for the usual count.
Result<void> choose_replica_count(Session& session, client::CreateOptions& create) {
  if (create.replica_count) return {};
  const auto count =
      TRY(session.run(session.cluster()->usual_replica_count(session.meta_deadline())));
  if (count < kUsualReplicas)
    session.err() << fmt::format(
        "WARNING: a new table has {} replicas, and the cluster has live replica servers for {}: it "
        "gets {}\n",
        kUsualReplicas, count, count);
  create.replica_count = count;
  return {};
}

// Returns when all partitions serve; says how many do, whenever that changes.
Result<void> wait_until_ready(Session& session, const std::string& name) {
  int last_ready = -1;
  auto progress = [&](int ready, int all) {
    if (ready == last_ready) return;
    last_ready = ready;
    session.out() << name
                  << (ready == all ? " is ready now: (" : " not ready yet, still waiting... (")
                  << ready << "/" << all << ")" << std::endl;
  };
  auto deadline = Deadline::in(session.clock(), kReadyTimeout);
  TRY(session.run(session.cluster()->wait_until_ready(name, progress, deadline)));
  return {};
}

}  // namespace

Outcome run_create(Session& session, Words words) {
  auto options = Options::parse(words, kCreateOptions);
  if (!options) return wrong_usage(session, options.error());
  if (options->rest().size() != 1) return Outcome::kWrongUsage;
  const auto& name = options->rest().front();
  auto create = parse_create(*options);
  if (!create) return wrong_usage(session, create.error());
  if (auto checked = check_create(name, *create); !checked) {
    session.err() << checked.error().message() << "\n";
    return Outcome::kFailed;
  }
  session.forget_table();  // it may be another one of the same name
  Result<int32_t> created = 0;
  if (auto chosen = choose_replica_count(session, *create); !chosen)
    created = fail(std::move(chosen.error()));
  else
    created = session.run(session.cluster()->create_table(name, *create, session.meta_deadline()));
  Result<void> ready;
  if (created) {
    session.out() << "create app " << name << " succeed, waiting for app ready" << std::endl;
    ready = wait_until_ready(session, name);
    if (ready) session.out() << name << " is ready now!\n";
  }
  if (!created || !ready) {
    const auto& error = created ? ready.error() : created.error();
    session.err() << "create app \"" << name << "\" failed, error = " << meta_error_text(error)
                  << "\n";
    return Outcome::kFailed;
  }
  session.out() << "create app \"" << name << "\" succeed\n";
  return Outcome::kDone;
}

Outcome run_drop(Session& session, Words words) {
  auto options = Options::parse(words, kDropOptions);
  if (!options) return wrong_usage(session, options.error());
  if (options->rest().size() != 1) return Outcome::kWrongUsage;
  const auto& name = options->rest().front();
  auto reserve = options->number('r', "reserve_seconds", 0);
  if (!reserve) return wrong_usage(session, reserve.error());
  session.out() << "reserve_seconds = " << *reserve << "\n";
  session.forget_table();
  auto dropped =
      session.run(session.cluster()->drop_table(name, *reserve, session.meta_deadline()));
  if (!dropped) {
    session.err() << "drop app " << name << " failed, error=" << meta_error_text(dropped.error())
                  << "\n";
    return Outcome::kFailed;
  }
  session.out() << "drop app " << name << " succeed\n";
  return Outcome::kDone;
}

Outcome run_recall(Session& session, Words words) {
  if (words.empty()) return Outcome::kWrongUsage;
  auto id = parse_int32(words[0]);
  if (!id) {
    session.err() << "ERROR: parse " << words[0] << " as id failed\n";
    return Outcome::kWrongUsage;
  }
  std::string new_name = words.size() > 1 ? words[1] : "";
  if (auto named = base::check_table_name(new_name); !new_name.empty() && !named) {
    session.err() << "invalid new_app_name: '" << new_name << "': " << named.error().message()
                  << "\n";
    return Outcome::kFailed;
  }
  session.forget_table();
  auto recalled =
      session.run(session.cluster()->recall_table(*id, new_name, session.meta_deadline()));
  Result<void> ready;
  if (recalled) {
    session.out() << "recall app ok, id(" << recalled->app_id << "), name(" << recalled->name
                  << "), partition_count(" << recalled->partition_count << "), wait it ready"
                  << std::endl;
    ready = wait_until_ready(session, recalled->name);
  }
  if (!recalled || !ready) {
    const auto& error = recalled ? ready.error() : recalled.error();
    session.err() << "recall app " << *id << " failed, error=" << meta_error_text(error) << "\n";
    return Outcome::kFailed;
  }
  session.out() << "recall app " << *id << " succeed\n";
  return Outcome::kDone;
}

Outcome run_rename(Session& session, Words words) {
  if (words.size() < 2) return Outcome::kWrongUsage;
  const auto &old_name = words[0], &new_name = words[1];
  auto names = "old_app_name(" + old_name + "), new_app_name(" + new_name + ")";
  if (auto named = base::check_table_name(new_name); !named) {
    session.err() << "rename app failed, " << names << ", failed: " << named.error().message()
                  << "\n";
    return Outcome::kFailed;
  }
  session.forget_table();
  auto renamed =
      session.run(session.cluster()->rename_table(old_name, new_name, session.meta_deadline()));
  if (!renamed) {
    session.err() << "rename app failed, " << names
                  << ", failed: " << meta_error_text(renamed.error(), ", ") << "\n";
    return Outcome::kFailed;
  }
  session.out() << "rename app ok, " << names << "\n";
  return Outcome::kDone;
}

}  // namespace pegmove::shell
