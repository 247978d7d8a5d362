// The process that serves an embedded cluster from its data folder, in the foreground or in the
// background.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "server/cluster/cluster_folder.h"
#include "server/cluster/embedded_cluster.h"

namespace pegmove::server::cluster {

// Takes the folder `options.data_dir` and serves until SIGINT or SIGTERM. `on_ready` hears where,
// once it does; its error ends everything. To be called before the process has other threads: the
// two signals are blocked in all of them. Errors: those of ClusterFolder::take() and
// EmbeddedCluster::start().
Result<void> serve(EmbeddedClusterOptions options,
                   const std::function<Result<void>(const RunningCluster&)>& on_ready);

// How the start of a process in the background ended.
struct BackgroundStart {
  std::string line;   // what it said when it served; "": it ended before
  int exit_code = 0;  // then; that of a signal is negative
};
// Runs this program with other words, in a session of its own, and waits until it has called
// let_go() or has ended; what it logs goes to this process's stderr until then. Errors: kNotFound,
// kIo.
Result<BackgroundStart> start_in_background(std::vector<std::string> words);
// For the process that was started so: says the line, and from then on logs to the folder's log.
// Errors: kIo.
Result<void> let_go(const std::string& line, const std::string& folder);

}  // namespace pegmove::server::cluster
