// How commands say what they found and what went wrong.
#pragma once

#include <optional>
#include <string>

#include "async/clock.h"
#include "client/foreign_rows.h"
#include "client/operations.h"
#include "shell/command.h"
#include "shell/tables.h"

namespace pegmove::shell {

// An error of a data request: the words of Pegasus's client (src/include/pegasus/error_def.h) where
// it has some, and what is known besides: "app not exist (there is no table 't' on ...)".
std::string data_error_text(const Error& error);

// An error of a meta server: the name of its code, and the server's hint or else the message:
// "ERR_APP_NOT_EXIST [hint:\"app cannot be found\"]".
std::string meta_error_text(const Error& error);

// The same for people who get no more than the code's name and the server's hint, with `between`
// between them: "ERR_APP_NOT_EXIST, ERROR: app(t) not exist!". What has no hint is as above.
std::string meta_error_text(const Error& error, std::string_view between);

// The name of the code alone, of an error that has one; otherwise as above.
std::string code_text(const Error& error);
// The server's hint; without one it is empty.
std::string hint_of(const Error& error);

// For an error of metrics.h: prints its line and returns true. False for others.
bool metrics_failed(Session& session, const Error& error);

// The options that ask for a second sample: 'i', in milliseconds. Errors: kInvalidArgument.
Result<async::milliseconds> sample_interval(const Options& options);

// The name of the row of sums below this many rows: "(total:3)" below four. Pegasus's shell counts
// so, and its readers know it.
std::string total_name(size_t rows);

// Asks "Are you sure to ACTION ?" on Session::out() and reads y or n from Session::read_line().
bool confirm(Session& session, const std::string& action);

// Prints "ERROR: " and the text of the error.
Outcome wrong_usage(Session& session, const Error& error);
// The same for a data request that failed; a table that no longer exists is looked up again the
// next time.
Outcome data_failed(Session& session, const Error& error);
// After a data operation: prints on Session::err() where it was carried out.
Outcome done_at(Session& session, const client::OperationInfo& info);
// Where and in which form tables are printed (-j, -o).
struct ReportOptions {
  bool json = false;
  std::string file;  // empty: Session::out()
};
// Reads the options 'j' and 'o'.
ReportOptions report_options(const Options& options);

Outcome print_tables(Session& session, const TableSet& tables, const ReportOptions& options);
// One table alone: no blank line behind it.
Outcome print_table(Session& session, const Table& table, const ReportOptions& options);

// Says on Session::err() how many foreign rows a scan has left out, and which of them are nowhere
// else. Nothing when there were none.
void print_foreign(Session& session, const client::ForeignRows& foreign);

// The bytes in double quotes, escaped as the session's settings say.
std::string quoted(Session& session, std::string_view bytes);

}  // namespace pegmove::shell
