// An embedded cluster that a benchmark starts from the pegmove binary, in its own folder.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace pegmove::bench {

class BenchCluster {
 public:
  // `config`: an INI file for it; empty: none. `more`: further options of its start. `meta_port`: 0
  // means a free one. Errors: kInternal when it does not start; its messages are on stderr.
  static Result<std::unique_ptr<BenchCluster>> start(std::string pegmove, std::string folder,
                                                     std::string name, std::string config = {},
                                                     const std::vector<std::string>& more = {},
                                                     int meta_port = 0);
  ~BenchCluster();  // stops it; the folder is the caller's
  BenchCluster(const BenchCluster&) = delete;
  BenchCluster& operator=(const BenchCluster&) = delete;

  const std::string& meta() const { return meta_; }
  pid_t pid() const { return pid_; }

 private:
  BenchCluster() = default;

  std::string pegmove_, data_, meta_;
  pid_t pid_ = 0;
};

}  // namespace pegmove::bench
