// What every server offers to its operators: settings, metrics, HTTP and remote commands. A role
// adds its own to each.
#pragma once

#include "metrics/exposition.h"
#include "metrics/registry.h"
#include "service/http_router.h"
#include "service/perf_counters.h"
#include "service/remote_commands.h"
#include "service/settings.h"

namespace pegmove::service {

struct OperationsOptions {
  std::string cluster = {};
  std::string role = {};  // "meta", "replica"
  // Where config-dump and the like may write: plain file names in this folder, which is created
  // when it is needed. Empty: nowhere.
  std::string dump_dir = {};
};

// Construct; add to the parts; set_port(); then pass `http` to an RpcServer and commands.handle()
// to a Dispatcher. Handlers run by `run`, on one thread at a time. `tasks` must outlive it.
class Operations {
 public:
  Operations(OperationsOptions options, Runner run, async::TaskGroup& tasks, Clock& clock);

  Settings settings;
  metrics::Registry metrics;
  HttpRouter http;
  RemoteCommands commands;

  // Called before metrics are read: sets the gauges that are not updated otherwise. On the thread
  // of the handlers.
  std::function<void()> refresh = [] {};
  TableName table_name = [](const std::string&) { return ""; };

  // The entity of the server itself.
  metrics::Entity& server() { return *server_; }
  void set_port(uint16_t port) { source_.port = port; }
  // Writes a file into the dump folder. Errors: kInvalidArgument for an invalid name, kIo.
  Result<void> dump(const std::string& file, const std::string& text) const;

 private:
  void add_http();
  void add_commands();
  void add_perf_counter_commands();
  net::HttpReply metrics_reply(const HttpQuery& query);
  std::string reset_log_level(RemoteCommands::Arguments arguments) const;
  std::string dump_settings(RemoteCommands::Arguments arguments) const;
  void set_memory();

  OperationsOptions options_;
  Clock& clock_;
  int64_t started_unix_;
  base::LogLevel first_log_level_;
  metrics::Source source_;
  std::shared_ptr<metrics::Entity> server_;
};

// The version that servers report: of the Pegasus whose behaviour they follow.
inline constexpr std::string_view kServerVersion = "2.6.0-pegmove";

}  // namespace pegmove::service
