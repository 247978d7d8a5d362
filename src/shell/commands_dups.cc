// The duplications of all tables. Pegasus: ls_dups in src/shell/commands/duplication.cpp.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <ostream>
#include <set>

#include "client/duplications.h"
#include "shell/handlers.h"
#include "shell/report.h"
#include "shell/session.h"
#include "shell/time_text.h"

namespace pegmove::shell {
namespace {

using client::DuplicatedPartition;
using client::Duplication;
using client::PatternMatch;
using client::TableDuplications;

constexpr OptionSpec kDupsOptions[] = {{'a', "app_name_pattern", true},
                                       {'m', "match_type", true},
                                       {'p', "list_partitions"},
                                       {'g', "progress_gap", true},
                                       {'u', "show_unfinishd"},
                                       {'o', "output", true},
                                       {'j', "json"}};

// In the order of the wire's numbers, from 1.
constexpr std::string_view kPatternMatches[] = {"all", "exact", "anywhere", "prefix", "postfix"};

// In the words of Pegasus's shell, which leaves out which flag it is.
Outcome wrong_dups_usage(Session& session, const Error& error) {
  const bool is_unknown = error.message().starts_with("unknown option");
  session.err() << "ERROR: ERR_INVALID_PARAMETERS: "
                << (is_unknown ? "unknown flag" : error.message()) << "\n";
  return Outcome::kWrongUsage;
}

Result<PatternMatch> pattern_match(const Options& options) {
  if (!options.has('m')) return PatternMatch::kAll;
  const auto found = std::ranges::find(kPatternMatches, options.text('m'));
  if (found == std::end(kPatternMatches))
    return fail(Code::kInvalidArgument, "invalid match_type " + options.text('m'));
  return PatternMatch(found - std::begin(kPatternMatches) + 1);
}

bool is_unfinished(const Duplication& duplication, const DuplicatedPartition& partition,
                   int64_t gap) {
  if (duplication.status != client::DuplicationStatus::kLog || !partition.error.empty())
    return true;
  // Embedded clusters answer so for a partition that is not served: what it has is not known.
  if (partition.last_committed_decree < 0 && partition.confirmed_decree >= 0) return true;
  return partition.last_committed_decree - partition.confirmed_decree > gap;
}

std::vector<Column> dups_columns(bool with_partitions) {
  std::vector<Column> columns{{"app_id"}};
  for (const char* name :
       {"app_name", "dup_id", "create_time", "status", "follower_cluster", "follower_app_name"})
    columns.push_back({name, Align::kRight});
  if (!with_partitions) return columns;
  for (const char* name :
       {"partition_id", "confirmed_decree", "last_committed_decree", "decree_gap"})
    columns.push_back({name, Align::kRight});
  return columns;
}

std::vector<std::string> dup_cells(const TableDuplications& table, const Duplication& duplication) {
  return {std::to_string(table.app_id),
          table.table,
          std::to_string(duplication.id),
          date_time_ms_text(duplication.create_ms),
          duplication_status_name(duplication.status),
          duplication.remote,
          duplication.remote_table.empty() ? table.table : duplication.remote_table};
}

void add_partition_row(Table& to, const TableDuplications& table, const Duplication& duplication,
                       int32_t index, const DuplicatedPartition& partition) {
  auto cells = dup_cells(table, duplication);
  for (const auto number :
       {int64_t{index}, partition.confirmed_decree, partition.last_committed_decree,
        partition.last_committed_decree - partition.confirmed_decree})
    cells.push_back(std::to_string(number));
  to.add_row(std::move(cells));
}

Table duplications_table(const std::vector<TableDuplications>& tables, bool with_partitions) {
  auto list = Table::with_columns("duplications", dups_columns(with_partitions));
  for (const auto& table : tables)
    for (const auto& duplication : table.duplications) {
      if (!with_partitions) list.add_row(dup_cells(table, duplication));
      if (with_partitions)
        for (const auto& [index, partition] : duplication.partitions)
          add_partition_row(list, table, duplication, index, partition);
    }
  return list;
}

Table unfinished_table(const std::vector<TableDuplications>& tables, int64_t gap) {
  auto list = Table::with_columns("unfinished", dups_columns(true));
  for (const auto& table : tables)
    for (const auto& duplication : table.duplications)
      for (const auto& [index, partition] : duplication.partitions)
        if (is_unfinished(duplication, partition, gap))
          add_partition_row(list, table, duplication, index, partition);
  return list;
}

// A partition of several duplications counts once.
Table dups_summary(const std::vector<TableDuplications>& tables, int64_t gap) {
  int64_t duplicating = 0, unfinished_apps = 0, duplications = 0, partitions = 0;
  int64_t duplicating_partitions = 0, unfinished_partitions = 0;
  std::map<std::string, int64_t> by_status, by_cluster;
  for (const auto& table : tables) {
    partitions += table.partition_count;
    if (table.duplications.empty()) continue;
    ++duplicating;
    duplicating_partitions += table.partition_count;
    std::set<int32_t> unfinished;
    for (const auto& duplication : table.duplications) {
      ++duplications;
      ++by_status[duplication_status_name(duplication.status)];
      ++by_cluster[duplication.remote];
      for (const auto& [index, partition] : duplication.partitions)
        if (is_unfinished(duplication, partition, gap)) unfinished.insert(index);
    }
    unfinished_apps += unfinished.empty() ? 0 : 1;
    unfinished_partitions += int64_t(unfinished.size());
  }
  auto summary = Table::with_values("summary");
  const auto add = [&summary](const std::string& name, int64_t value) {
    summary.add_value(name, std::to_string(value));
  };
  add("total_app_count", int64_t(tables.size()));
  add("duplicating_app_count", duplicating);
  add("unfinished_app_count", unfinished_apps);
  add("total_duplication_count", duplications);
  for (const auto& [status, count] : by_status)
    add(fmt::format("duplication_count_by_status({})", status), count);
  for (const auto& [cluster, count] : by_cluster)
    add(fmt::format("duplication_count_by_follower_cluster({})", cluster), count);
  add("total_partition_count", partitions);
  add("duplicating_partition_count", duplicating_partitions);
  add("unfinished_partition_count", unfinished_partitions);
  return summary;
}

}  // namespace

Outcome run_dups(Session& session, Words words) {
  const auto options = Options::parse(words, kDupsOptions);
  if (!options) return wrong_dups_usage(session, options.error());
  if (!options->rest().empty()) {
    session.err() << "ERROR: ERR_INVALID_PARAMETERS: too many params\n";
    return Outcome::kWrongUsage;
  }
  const auto match = pattern_match(*options);
  if (!match) return wrong_dups_usage(session, match.error());
  const auto gap = options->number('g', "progress_gap", 0);
  if (!gap) return wrong_dups_usage(session, gap.error());
  auto tables = session.run(client::list_duplications(*session.cluster(), options->text('a'),
                                                      *match, session.meta_deadline()));
  if (!tables) {
    session.err() << "ERROR: list duplications failed, error="
                  << meta_error_text(tables.error(), ": ") << "\n";
    return Outcome::kFailed;
  }
  std::ranges::sort(*tables, {}, &TableDuplications::app_id);
  TableSet set;
  set.add(duplications_table(*tables, options->has('p')));
  set.add(dups_summary(*tables, *gap));
  if (options->has('u')) set.add(unfinished_table(*tables, *gap));
  return print_tables(session, set, report_options(*options));
}

}  // namespace pegmove::shell
