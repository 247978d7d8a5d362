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

// Opens the folder `options.data_dir` and serves until SIGINT or SIGTERM. Calls `on_ready` with the
// addresses once it serves; an error of that ends the cluster. Call it before the process has other
// threads: the two signals are blocked in all of them. Errors: those of ClusterFolder::take() and
// EmbeddedCluster::start().
Result<void> serve(EmbeddedClusterOptions options,
                   const std::function<Result<void>(const RunningCluster&)>& on_ready);

// The result of starting a process in the background.
struct BackgroundStart {
  std::string line;   // what it printed once it served; "": it ended before
  int exit_code = 0;  // if it ended; a signal's number is negative
};
// Runs this program with other arguments, in its own session, and waits until it has called
// let_go() or has ended; until then its log goes to this process's stderr. Errors: kNotFound, kIo.
Result<BackgroundStart> start_in_background(std::vector<std::string> words);
// For the process started that way: prints the line, and from then on logs to the folder's log.
// Errors: kIo.
Result<void> let_go(const std::string& line, const std::string& folder);

}  // namespace pegmove::server::cluster
