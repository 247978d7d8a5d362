// What verify, diff and repair have in common: the tables, and how they are compared.
#pragma once

#include "apps/command.h"
#include "apps/progress_line.h"
#include "compare/compare.h"

namespace pegmove::apps {

struct CompareArguments {
  std::string from, to, table, to_table;
  std::string sample, expiry_tolerance, lag = "5s", settle_for = "1m";
  std::optional<uint64_t> seed{};
  bool live = false;
  size_t show = 20;
};
void add_compare_options(Verb& verb, CompareArguments& arguments);

// Errors: kInvalidArgument, naming the option.
Result<compare::CompareOptions> compare_options(const CompareArguments& arguments,
                                                async::milliseconds timeout);

// Connects and opens both tables. Until begin_work() Ctrl-C ends the process.
Task<compare::TablePair> open_tables(CommandRun& run, std::string from, std::string to,
                                     std::string table, std::string to_table);

// For CompareEvents::on_progress; the line must outlive it.
std::function<void(const compare::CompareCounts&, async::milliseconds)> show_comparison(
    ProgressLine& line, std::string doing);

}  // namespace pegmove::apps
