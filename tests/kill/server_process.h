// `pegmove cluster start` as a child process that can be killed at any moment and started again on
// the same folder and the same ports.
#pragma once

#include <optional>
#include <string>

#include "base/child_process.h"
#include "net/address.h"

namespace pegmove::kill {

struct ServerOptions {
  std::string program;  // the pegmove binary
  std::string folder;   // data in <folder>/data, what the server says in <folder>/server.log
  uint16_t meta_port = 0;
  uint16_t replica_port = 0;  // and the one behind it: there are two replica servers
};

// Used by one thread; the child ends with that thread at the latest.
// Everything throws std::runtime_error, with the end of the server's log, when the child is not
// what it should be.
class ServerProcess {
 public:
  explicit ServerProcess(ServerOptions options) : options_(std::move(options)) {}
  ~ServerProcess() { kill(); }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  void start();             // returns at once
  void wait_until_ready();  // blocks until it serves
  // Blocks until its data folder has so many files and folders, or it serves.
  void wait_for_entries(size_t count);
  void expect_running();
  void kill();  // SIGKILL; nothing when there is no child
  void stop();  // in good order

  net::Address meta() const { return {0x7f000001, options_.meta_port}; }

 private:
  [[noreturn]] void fail(const std::string& what);
  std::string log_path() const { return options_.folder + "/server.log"; }

  ServerOptions options_;
  std::optional<base::ChildProcess> process_;
  bool is_ready_ = false;
};

}  // namespace pegmove::kill
