#include "server/cluster/cluster_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <utility>

#include "base/child_process.h"
#include "base/local_file.h"

namespace pegmove::server::cluster {
namespace {

// Each connection and each file of a table is a descriptor, and shells allow few by default: raises
// the limit as far as allowed, and leaves half of them to the tables, which would fail without.
void share_descriptors(EmbeddedClusterOptions& options) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const auto before = std::exchange(limit.rlim_cur, limit.rlim_max);
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = before;
  const size_t servers = size_t(options.replica_servers) + 1;
  const auto most = std::max<size_t>(limit.rlim_cur / 2 / servers, 1);
  if (options.max_connections <= most) return;
  options.max_connections = most;
  constexpr size_t kFew = 1000;
  if (most >= kFew) return;
  Logger("cluster=" + options.name)
      .warning(fmt::format("each server accepts at most {} connections: the process may open {} "
                           "descriptors (ulimit -n)",
                           most, limit.rlim_cur));
}

}  // namespace

Result<void> serve(EmbeddedClusterOptions options,
                   const std::function<Result<void>(const RunningCluster&)>& on_ready) {
  // Blocked before threads are made, so that only this one receives them.
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGINT);
  sigaddset(&ending, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &ending, nullptr);

  auto folder = TRY(ClusterFolder::take(options.data_dir, options.name));
  share_descriptors(options);
  async::SystemClock clock;
  auto cluster = TRY(EmbeddedCluster::start(options, clock));
  RunningCluster running{.name = options.name,
                         .pid = getpid(),
                         .meta = cluster->meta_address().to_string(),
                         .replicas = {}};
  for (auto address : cluster->replica_addresses()) running.replicas.push_back(address.to_string());
  TRY(folder.announce(running));
  TRY(on_ready(running));
  int signal = 0;
  sigwait(&ending, &signal);
  cluster.reset();
  return {};
}

Result<BackgroundStart> start_in_background(std::vector<std::string> words) {
  std::error_code error;
  words.insert(words.begin(), std::filesystem::read_symlink("/proc/self/exe", error).string());
  if (error) return fail(Code::kIo, "looking for this program: " + error.message());
  auto child = TRY(base::ChildProcess::start(std::move(words), {.outlives_caller = true}));
  if (auto line = TRY(child.next_line())) return BackgroundStart{.line = *std::move(line)};
  return BackgroundStart{.line = "", .exit_code = TRY(child.wait())};
}

Result<void> let_go(const std::string& line, const std::string& folder) {
  const auto log_path = ClusterFolder::log_path(folder);
  const int log = open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (log < 0) return fail(base::system_error("opening", log_path, errno));
  dup2(log, STDERR_FILENO);
  close(log);
  const auto said = line + "\n";
  if (write(STDOUT_FILENO, said.data(), said.size()) != ssize_t(said.size()))
    return fail(Code::kIo, "reporting that the cluster is ready");
  const int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
  dup2(nothing, STDOUT_FILENO);
  close(nothing);
  return {};
}

}  // namespace pegmove::server::cluster
