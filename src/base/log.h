// Logging: a Logger carries the context of its owner ("cluster=A node=replica-1"), so that each
// line is understandable without the others. An error is logged once, where it is handled.
#pragma once

#include <string>
#include <string_view>

namespace pegmove::base {

enum class LogLevel { kDebug, kInfo, kWarning, kError, kOff };

// Where log lines go: stderr, one line each, with the time in UTC. Set once at start by main.
void set_log_level(LogLevel level);
LogLevel log_level();

// Cheap to copy. Safe from any thread.
class Logger {
 public:
  Logger() = default;
  explicit Logger(std::string context) : context_(std::move(context)) {}

  // The same logger with more context after its own.
  Logger with(std::string_view key, std::string_view value) const;

  void debug(std::string_view text) const { write(LogLevel::kDebug, text); }
  void info(std::string_view text) const { write(LogLevel::kInfo, text); }
  void warning(std::string_view text) const { write(LogLevel::kWarning, text); }
  void error(std::string_view text) const { write(LogLevel::kError, text); }

 private:
  void write(LogLevel level, std::string_view text) const;
  std::string context_;
};

}  // namespace pegmove::base

namespace pegmove {
using base::Logger;
}
