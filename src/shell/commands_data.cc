// Rows, one or several of a hash key. Results go to out; where an operation was carried out, to
// err.
#include <fmt/format.h>

#include <ostream>
#include <set>

#include "record/hash.h"
#include "shell/handlers.h"
#include "shell/host_name.h"
#include "shell/report.h"
#include "shell/session.h"

namespace pegmove::shell {
namespace {

// The seconds to live in the words behind the value. 0: for ever.
Result<int32_t> parse_ttl(Words words) {
  if (words.empty()) return 0;
  auto seconds = parse_int32(words[0]);
  if (!seconds)
    return fail(Code::kInvalidArgument, fmt::format("parse {} as ttl failed", words[0]));
  if (*seconds <= 0) return fail(Code::kInvalidArgument, "invalid ttl " + words[0]);
  return *seconds;
}

}  // namespace

Outcome run_set(Session& session, Words words) {
  if (words.size() != 3 && words.size() != 4) return Outcome::kWrongUsage;
  auto ttl = parse_ttl(words.subspan(3));
  if (!ttl) return wrong_usage(session, ttl.error());
  auto table = session.table();
  if (!table) return data_failed(session, table.error());
  auto expire_ts = *ttl > 0 ? (*table)->expire_after(*ttl) : 0;
  auto info =
      session.run((*table)->set(words[0], words[1], words[2], expire_ts, session.deadline()));
  if (!info) return data_failed(session, info.error());
  session.out() << "OK\n";
  return done_at(session, *info);
}

Outcome run_get(Session& session, Words words) {
  if (words.size() != 2) return Outcome::kWrongUsage;
  auto table = session.table();
  if (!table) return data_failed(session, table.error());
  auto found = session.run((*table)->get(words[0], words[1], session.deadline()));
  if (!found) return data_failed(session, found.error());
  session.out() << (found->value ? quoted(session, *found->value) : "Not found") << "\n";
  return done_at(session, found->info);
}

Outcome run_del(Session& session, Words words) {
  if (words.size() != 2) return Outcome::kWrongUsage;
  auto table = session.table();
  if (!table) return data_failed(session, table.error());
  auto info = session.run((*table)->del(words[0], words[1], session.deadline()));
  if (!info) return data_failed(session, info.error());
  session.out() << "OK\n";
  return done_at(session, *info);
}

Outcome run_exist(Session& session, Words words) {
  if (words.size() != 2) return Outcome::kWrongUsage;
  auto table = session.table();
  if (!table) return data_failed(session, table.error());
  auto found = session.run((*table)->ttl(words[0], words[1], session.deadline()));
  if (!found) return data_failed(session, found.error());
  session.out() << (found->seconds ? "True" : "False") << "\n";
  return done_at(session, found->info);
}

Outcome run_ttl(Session& session, Words words) {
  if (words.size() != 2) return Outcome::kWrongUsage;
  auto table = session.table();
  if (!table) return data_failed(session, table.error());
  auto found = session.run((*table)->ttl(words[0], words[1], session.deadline()));
  if (!found) return data_failed(session, found.error());
  if (!found->seconds)
    session.out() << "Not found\n";
  else if (*found->seconds < 0)
    session.out() << "Infinite\n";
  else
    session.out() << *found->seconds << "\n";
  return done_at(session, found->info);
}

Outcome run_multi_set(Session& session, Words words) {
  if (words.size() < 3 || words.size() % 2 == 0) return Outcome::kWrongUsage;
  std::set<std::string_view> sort_keys;
  std::vector<client::SortValue> rows;
  for (size_t i = 1; i < words.size(); i += 2) {
    if (!sort_keys.insert(words[i]).second) {
      session.err() << "ERROR: duplicate sort key " << words[i] << "\n";
      return Outcome::kFailed;
    }
    rows.push_back({words[i], words[i + 1]});
  }
  auto table = session.table();
  if (!table) return data_failed(session, table.error());
  auto info = session.run((*table)->multi_set(words[0], std::move(rows), 0, session.deadline()));
  if (!info) return data_failed(session, info.error());
  session.out() << "OK\n";
  return done_at(session, *info);
}

Outcome run_multi_get(Session& session, Words words) {
  if (words.empty()) return Outcome::kWrongUsage;
  auto table = session.table();
  if (!table) return data_failed(session, table.error());
  client::MultiGetOptions options;
  options.sort_keys.assign(words.begin() + 1, words.end());
  auto found = session.run((*table)->multi_get(words[0], std::move(options), session.deadline()));
  if (!found) return data_failed(session, found.error());
  for (const auto& row : found->rows)
    session.out() << quoted(session, words[0]) << " : " << quoted(session, row.sort_key) << " => "
                  << quoted(session, row.value) << "\n";
  session.out() << "\n"
                << found->rows.size() << " key-value pairs got, fetch "
                << (found->complete ? "completed.\n" : "not completed.\n");
  return done_at(session, found->info);
}

Outcome run_multi_del(Session& session, Words words) {
  if (words.size() < 2) return Outcome::kWrongUsage;
  auto table = session.table();
  if (!table) return data_failed(session, table.error());
  auto deleted = session.run((*table)->multi_del(
      words[0], std::vector<std::string>(words.begin() + 1, words.end()), session.deadline()));
  if (!deleted) return data_failed(session, deleted.error());
  session.out() << deleted->count << " key-value pairs deleted.\n";
  return done_at(session, deleted->info);
}

Outcome run_count(Session& session, Words words) {
  if (words.size() != 1) return Outcome::kWrongUsage;
  auto table = session.table();
  if (!table) return data_failed(session, table.error());
  auto counted = session.run((*table)->sort_key_count(words[0], session.deadline()));
  if (!counted) return data_failed(session, counted.error());
  if (counted->count < 0) {
    session.err() << "ERROR: it takes too long to count sortkey\n";
    return Outcome::kFailed;
  }
  session.out() << counted->count << "\n";
  return done_at(session, counted->info);
}

// Without a table: the hash alone.
Outcome run_hash(Session& session, Words words) {
  if (words.size() != 2) return Outcome::kWrongUsage;
  auto hash = record::key_hash(words[0], words[1]);
  auto report = Table::with_values("");
  report.add_value("key_hash", std::to_string(hash));
  const auto& name = session.settings().table;
  if (session.cluster() && !name.empty()) {
    auto config = session.run(session.cluster()->table_config(name, {}, session.meta_deadline()));
    if (!config) return data_failed(session, config.error());
    auto index = record::partition_index(hash, config->partition_count);
    report.add_value("app_name", name);
    report.add_value("app_id", std::to_string(config->app_id));
    report.add_value("partition_count", std::to_string(config->partition_count));
    report.add_value("partition_index", std::to_string(index));
    if (size_t(index) < config->partitions.size()) {
      const auto& partition = config->partitions[size_t(index)];
      report.add_value("primary", node_text(partition.primary, false));
      report.add_value("secondaries", net::list_text(partition.secondaries));
    }
  }
  return print_table(session, report, {});
}

}  // namespace pegmove::shell
