// The data folder of an embedded cluster: which cluster it belongs to, which process uses it, and
// where that listens.
//
//   cluster.json   the folder's format and the cluster's name; written once
//   LOCK           locked (flock) by the process that uses the folder; its process id
//   run.json       where that process listens; exists while it serves
//   meta/ replica0/ replica1/ ...
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace pegmove::server::cluster {

struct RunningCluster {
  std::string name;
  pid_t pid = 0;
  std::string meta;
  std::vector<std::string> replicas;
};

class ClusterFolder {
 public:
  // Makes the folder or opens an existing one. Errors: kBusy when another process uses it (naming
  // that process), kInvalidArgument when it is not a data folder or belongs to another cluster,
  // kIo. Existing files are not changed.
  static Result<ClusterFolder> take(const std::string& path, const std::string& name);
  ClusterFolder(ClusterFolder&& other) noexcept;
  ~ClusterFolder();  // removes run.json and releases the lock

  // Writes run.json.
  Result<void> announce(const RunningCluster& running);
  const std::string& path() const { return path_; }

  // The process that uses the folder now; nullopt: none. Errors: kNotFound when there is no such
  // folder or it is not a data folder of pegmove.
  static Result<std::optional<RunningCluster>> running(const std::string& path);
  // Ends that process cleanly and waits for it. False: none was running. Errors: kTimeout.
  static Result<bool> stop(const std::string& path);
  static std::string log_path(const std::string& path) { return path + "/cluster.log"; }

 private:
  ClusterFolder(std::string path, std::string name, int lock_fd);
  std::string path_;
  std::string name_;
  int lock_fd_;
};

}  // namespace pegmove::server::cluster
