// Remote commands: text in, text out, for operators (RPC_CLI_CLI_CALL). Pegasus:
// src/utils/command_manager.{h,cpp}.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "async/task_group.h"
#include "net/rpc_server.h"
#include "service/http_router.h"
#include "service/settings.h"

namespace pegmove::service {

// Register everything first. handle() on the executor of the task group.
class RemoteCommands {
 public:
  using Arguments = std::span<const std::string>;
  using Handler = std::function<std::string(Arguments)>;

  // Commands run by `run`; `repeat` waits in `tasks`.
  RemoteCommands(Runner run, async::TaskGroup& tasks, Clock& clock);

  // `names`: all names of one command, the first is that of its help. help: "Query ..."; usage:
  // its arguments, "[id1,id2,...]".
  void on(std::vector<std::string> names, const std::string& help, const std::string& usage,
          Handler handler);
  // A command that shows and changes a setting, mutable or not, with Pegasus's answers for integers
  // and for booleans; `is_acceptable` (integers) >= 0 unless given.
  void on_integer(const std::string& name, const std::string& help, Settings& settings,
                  const std::string& setting, std::function<bool(int64_t)> is_acceptable = {});
  void on_boolean(const std::string& name, const std::string& help, Settings& settings,
                  const std::string& setting);

  // Answers a call of CLI_CALL with a bare string, at once or later.
  void handle(net::IncomingCall call);
  // The answer of a command; for unknown ones "unknown command 'X'". Not for `repeat`.
  std::string run(const std::string& name, Arguments arguments) const;

 private:
  struct Command {
    std::string help;   // "name|alias - what it does"
    std::string usage;  // "name|alias arguments"
    Handler handler;
  };
  struct Repeat {
    int64_t interval_seconds = 0;
    uint32_t most = 0;
    std::vector<std::string> words;
  };
  std::string help(Arguments arguments) const;
  // What is wrong with the arguments; nothing when `out` is filled.
  std::string parse_repeat(Arguments arguments, Repeat& out) const;
  Routine<> repeat(std::shared_ptr<net::IncomingCall> call, Repeat repeat);

  Runner run_;
  async::TaskGroup& tasks_;
  Clock& clock_;
  std::map<std::string, std::shared_ptr<const Command>> commands_;  // shared by its names
  size_t repeating_ = 0;
};

}  // namespace pegmove::service
