// A session of Pegasus's shell (pegasus_shell of Apache Pegasus 2.6): one cluster, one current
// table, some settings, and the commands that are typed.
//
// Two streams. What a command was asked for (rows, values, counts, OK, tables) goes to `out`.
// Errors, what echoes the options, progress, and the place where an operation was carried out go to
// `err`. The real shell prints all of a data command on stderr; here results can be piped. Texts
// carry no colours.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "async/run.h"
#include "async/stop_signal.h"
#include "client/table.h"

namespace pegmove::shell {

// Knows the clusters by name.
class ClusterDirectory {
 public:
  virtual ~ClusterDirectory() = default;
  // The meta servers of a cluster that is configured, or of a list "host:port,host:port".
  // Errors: kNotFound, naming the cluster and where it was looked for; kInvalidArgument.
  virtual Result<std::vector<net::HostPort>> metas_of(std::string_view name) const = 0;
};

// What the commands may change.
struct Settings {
  std::string table;                  // the current one; empty: none
  async::milliseconds timeout{5000};  // of a data request
  bool escape_all = false;            // keys and values are printed as \xHH throughout
};

// The lines that are typed, or stand in a script.
class LineSource {
 public:
  virtual ~LineSource() = default;
  // nullopt at the end.
  virtual std::optional<std::string> next_line() = 0;
  // A person types them, and sees what is answered.
  virtual bool is_attended() const { return false; }
};

// On one thread, with an io_context that nobody else runs: a command runs it until it has ended.
// The client and all others must outlive the session.
class Session {
 public:
  Session(asio::io_context& context, client::Client& client, const ClusterDirectory& clusters,
          std::ostream& out, std::ostream& err);

  // Makes this the current cluster; the current table stays. Prints nothing.
  // Errors: of ClusterDirectory and of client::Cluster::connect; the cluster stays the old one
  // then.
  Result<void> connect(std::string cluster);

  // Runs one command line. False when the command failed; what went wrong stands on `err` then.
  // False also when `out` could not take what was printed, which its owner reports. An empty line
  // succeeds; a byte order mark before the command does not count.
  bool execute(std::string_view line);
  // Where commands that go on over several lines get them; nullptr: there are none. Must outlive
  // the use of the session.
  void set_lines(LineSource* lines) { lines_ = lines; }
  // After the command "exit", a request to stop, or when `out` takes nothing more.
  bool wants_exit() const { return wants_exit_ || stop_.requested() || !out_; }

  // To end a command under way from a signal handler; the session ends with it.
  async::StopSignal& stop_signal() { return stop_; }

  // The rest is for the commands.

  std::ostream& out() { return out_; }
  std::ostream& err() { return err_; }
  // What copy_data, clear_data and count_data end with: a result, but Pegasus's shell prints it on
  // stderr.
  std::ostream& totals() { return totals_on_err_ ? err_ : out_; }
  void print_totals_on_err() { totals_on_err_ = true; }
  // The line behind the command's. nullopt at the end.
  std::optional<std::string> read_line() { return lines_ ? lines_->next_line() : std::nullopt; }
  bool is_attended() const { return lines_ && lines_->is_attended(); }
  Settings& settings() { return settings_; }
  void exit() { wants_exit_ = true; }

  // nullptr before the first connect().
  const std::shared_ptr<client::Cluster>& cluster() const { return cluster_; }
  // The name by which the current cluster was asked for.
  const std::string& cluster_word() const { return cluster_word_; }
  // Another cluster, for the commands that work on two. Errors: as connect().
  Result<std::shared_ptr<client::Cluster>> open_cluster(std::string_view cluster);
  // The current table. Precondition: connected, and a table is used. Errors: client::Table::open.
  Result<std::shared_ptr<client::Table>> table();
  // The current table is looked up again the next time.
  void forget_table() { table_.reset(); }
  // Names of the available tables; empty when they cannot be had within moments.
  std::vector<std::string> table_names();

  // Runs the task to its end, on this thread.
  template <typename T>
  Result<T> run(Task<T> task) {
    return async::run_to_end(context_, std::move(task));
  }
  Clock& clock() { return client_.clock(); }
  // For a data request that begins now, by the `timeout` setting.
  Deadline deadline() { return Deadline::in(clock(), settings_.timeout); }
  // For a request to the meta servers that begins now.
  Deadline meta_deadline();

 private:
  asio::io_context& context_;
  client::Client& client_;
  const ClusterDirectory& clusters_;
  std::ostream& out_;
  std::ostream& err_;
  Settings settings_;
  std::string cluster_word_;
  std::shared_ptr<client::Cluster> cluster_;  // shared with its tables
  std::shared_ptr<client::Table> table_;      // shared with scanners; nullptr: not looked up
  async::StopSignal stop_;
  LineSource* lines_ = nullptr;
  bool wants_exit_ = false;
  bool totals_on_err_ = false;
};

// Runs a whole script (words.h, split_commands) up to the first command that fails or to "exit".
// When one of them cannot be split into words, none is run. True when no command failed.
bool run_script(Session& session, std::string_view script);

// Reads commands from the terminal until its end, "exit" or Ctrl-C: with a greeting (frame.h), line
// editing, completion of commands and tables, and a history that is kept in the file `history_path`
// (empty: nowhere). A command that fails does not end it. Once at a time in a process.
void run_interactive(Session& session, const std::string& config_file,
                     const std::string& history_path);

}  // namespace pegmove::shell
