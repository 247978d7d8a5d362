// What the verbs share: the options that mean the same everywhere, the connection to clusters, how
// they end. A verb is one file with one add_..._command().
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <functional>
#include "apps/verb.h"

#include "apps/cluster_config.h"
#include "async/run.h"
#include "async/stop_signal.h"
#include "client/cluster.h"

namespace pegmove::apps {

// Exit codes of pegmove.
enum ExitCode {
  kDone = 0,
  kFailed = 1,
  kUsage = 2,
  kPreflightFailed = 3,  // refused before anything was changed
  kTablesDiffer = 4,
  kGivenBack = 6,  // a cutover: who served before serves
  kInterrupted = 7,
};

// The headings of the verbs in --help, in this order; README.md has the same.
inline constexpr const char* kMoving = "Moving";
inline constexpr const char* kKnowingBefore = "Knowing before";
inline constexpr const char* kRunInProgress = "A run in progress";
inline constexpr const char* kProving = "Proving";
inline constexpr const char* kDataInAndOut = "Data in and out";
inline constexpr const char* kThingsThatStayUp = "Things that stay up";
inline constexpr const char* kByHand = "By hand";
// And of the verbs of a verb.
inline constexpr const char* kVerbs = "Verbs";

// Options of every verb that talks to clusters.
struct CommonOptions {
  std::string config;
  std::string timeout = "30s";
  bool json = false;
  bool quiet = false;
};
void add_common_options(Verb& verb, CommonOptions& options);
// --backup, the id of a backup, as every verb is given it.
Option* add_backup_id(Verb& verb, int64_t& id, const std::string& description);

// The folder for temporary files: $TMPDIR, else /tmp. It need not exist.
std::string temporary_folder();

// Prints the error on stderr. Returns the exit code: kInterrupted when the user stopped the work,
// else `otherwise`.
int report(const Error& error, int otherwise = kFailed);

// The end of the program, with the exit code of its verb: what was printed must have arrived.
// Otherwise says so on stderr, and kDone becomes kFailed; other codes stay.
int end_output(int exit_code);

// Connections of one run of the program, and Ctrl-C: the first asks the work to stop, the second
// aborts the process.
class CommandRun {
 public:
  // Errors: the configuration's, a malformed duration.
  static Result<std::unique_ptr<CommandRun>> start(const CommonOptions& options);
  ~CommandRun();

  asio::io_context& context() { return context_; }
  Clock& clock() { return clock_; }
  client::Client& client() { return client_; }
  const ClusterConfig& config() const { return config_; }
  async::StopSignal& stop() { return stop_; }
  async::milliseconds timeout() const { return timeout_; }

  // Before anything was written there is nothing to finish: until begin_work() the first Ctrl-C
  // ends the process with kInterrupted.
  void prepare() { preparing_ = true; }
  void begin_work() { preparing_ = false; }

  // A further action when the user stops the work.
  void on_stop(std::function<void()> action) { on_stop_ = std::move(action); }

  // Checks that these name clusters, by name or address. Errors: kInvalidArgument.
  Result<void> check_clusters(const std::vector<std::string>& clusters) const;
  // By name or address. Errors: kInvalidArgument for the name, those of client::Cluster::connect.
  Task<std::shared_ptr<client::Cluster>> connect(std::string cluster);
  template <typename T>
  T wait_for(asio::awaitable<T> routine) {
    return async::run_to_end(context_, std::move(routine));
  }

  CommandRun(ClusterConfig config, async::milliseconds timeout);

 private:
  void watch_signals();

  asio::io_context context_;
  async::SystemClock clock_;
  client::Client client_{context_.get_executor(), clock_};
  ClusterConfig config_;
  async::milliseconds timeout_;
  async::StopSignal stop_;
  bool preparing_ = false;
  bool signalled_ = false;  // a stop may also come from elsewhere
  std::function<void()> on_stop_;
  asio::signal_set signals_{context_, SIGINT, SIGTERM};
};

void add_cluster_command(Verb& program, int& exit_code);
void add_backup_command(Verb& program, int& exit_code);
void add_restore_command(Verb& program, int& exit_code);
void add_backups_command(Verb& program, int& exit_code);
void add_split_command(Verb& program, int& exit_code);
void add_split_unit_command(Verb& program, int& exit_code);
void add_load_command(Verb& program, int& exit_code);
void add_check_command(Verb& program, int& exit_code);
void add_copy_command(Verb& program, int& exit_code);
void add_verify_command(Verb& program, int& exit_code);
void add_diff_command(Verb& program, int& exit_code);
void add_repair_command(Verb& program, int& exit_code);
void add_hot_command(Verb& program, int& exit_code);
void add_cutover_commands(Verb& program, int& exit_code);  // cutover, rollback, complete, guard
void add_import_export_commands(Verb& program, int& exit_code);
void add_metaproxy_command(Verb& program, int& exit_code);
void add_relay_command(Verb& program, int& exit_code);
void add_routes_command(Verb& program, int& exit_code);
void add_shell_command(Verb& program, int& exit_code);

}  // namespace pegmove::apps
