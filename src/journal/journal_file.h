// The parts of an open journal: the connection, and its prepared statements. Only the sources of
// the class Journal include it.
#pragma once

#include <fmt/format.h>

#include <string>

#include "journal/journal.h"
#include "journal/sqlite.h"

namespace pegmove::journal {

struct StepStatements {
  Statement save_step;
  Statement get_steps;
  Statement plan_unit;
  Statement get_plan;
  Statement drop_units;
  Statement save_unit;
  Statement sum_units;
  Statement get_units;
  Statement drop_planned;
  Statement clear_units;
  Statement save_progress;
  Statement get_progress;
  Statement save_lease;
  Statement end_lease;
  Statement get_leases;
};

struct Statements {
  Statement last_number;
  Statement add_run;
  Statement get_run;
  Statement list_runs;
  Statement set_state;
  Statement get_over;
  StepStatements steps;
  Statement count_settings;
  Statement store_change;
  Statement get_changes;
  Statement answer_requests;
};

struct Journal::File {
  std::string path;
  const Clock& clock;
  Connection connection;
  Statements statements;  // after the connection: they are destroyed before it

  int64_t unix_ms() const { return clock.unix_us() / 1000; }
  // For contents of the file that pegmove cannot have written.
  std::unexpected<Error> corrupt(const std::string& what) const {
    return fail(
        Code::kCorrupt,
        fmt::format(
            "journal {}: {}; restore a copy of the file, or move it away (its runs are then lost)",
            path, what));
  }
};

// Errors: kInvalidArgument, naming the journal.
Result<void> check_run_id(const std::string& run);

}  // namespace pegmove::journal
