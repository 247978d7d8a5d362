#include "apps/command.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/standard_streams.h"
#include "base/units.h"

namespace pegmove::apps {

void add_common_options(Verb& verb, CommonOptions& options) {
  verb.add_option("--config", options.config,
                  "INI file with [pegasus.clusters]; default: $PEGMOVE_CONFIG, ./config.ini, "
                  "~/.config/pegmove/config.ini");
  verb.add_option("--timeout", options.timeout,
                  "time limit of one request, retries included; 500ms, 5s, 10m")
      ->capture_default_str();
  verb.add_flag("--json", options.json, "print the result as JSON on stdout");
  verb.add_flag("--quiet", options.quiet, "show no progress");
}

std::string temporary_folder() {
  const char* given = std::getenv("TMPDIR");
  return given && *given ? given : "/tmp";
}

Option* add_backup_id(Verb& verb, int64_t& id, const std::string& description) {
  return verb.add_option("--backup", id, description)->in_range(int64_t(1), int64_t(INT64_MAX));
}

int report(const Error& error, int otherwise) {
  std::fprintf(stderr, "pegmove: %s\n", error.to_string().c_str());
  return error.code() == Code::kInterrupted ? int(kInterrupted) : otherwise;
}

int end_output(int exit_code) {
  const auto printed = base::flush_standard_output();
  if (printed) return exit_code;
  const int failed = report(printed.error());
  return exit_code == kDone ? failed : exit_code;
}

Result<std::unique_ptr<CommandRun>> CommandRun::start(const CommonOptions& options) {
  auto timeout = TRY(in_context(base::parse_duration(options.timeout), "--timeout"));
  return std::make_unique<CommandRun>(TRY(ClusterConfig::load(options.config)), timeout);
}

CommandRun::CommandRun(ClusterConfig config, async::milliseconds timeout)
    : config_(std::move(config)), timeout_(timeout) {
  watch_signals();
}

CommandRun::~CommandRun() {
  signals_.cancel();
  auto close = [](client::Client& client) -> Routine<bool> {
    co_await client.close();  // no result
    co_return true;
  };
  wait_for(close(client_));
}

void CommandRun::watch_signals() {
  signals_.async_wait([this](const boost::system::error_code& error, int) {
    if (error) return;
    if (std::exchange(signalled_, true)) _exit(kInterrupted);
    if (preparing_) {
      std::fprintf(stderr,
                   "\npegmove: stopped before the first row was written; run the command again\n");
      _exit(kInterrupted);
    }
    stop_.request();
    if (on_stop_) on_stop_();
    std::fprintf(stderr,
                 "\npegmove: stopping after the current batches; press Ctrl-C again to abort\n");
    watch_signals();
  });
}

Result<void> CommandRun::check_clusters(const std::vector<std::string>& clusters) const {
  for (const auto& cluster : clusters) TRY(config_.metas_of(cluster));
  return {};
}

Task<std::shared_ptr<client::Cluster>> CommandRun::connect(std::string cluster) {
  auto metas = CO_TRY(config_.metas_of(cluster));
  co_return in_context(
      co_await client::Cluster::connect(client_, metas, Deadline::in(clock_, timeout_)),
      "cluster " + cluster);
}

}  // namespace pegmove::apps
