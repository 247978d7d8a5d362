#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace pegmove::base {
namespace {

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return spdlog::level::debug;
    case LogLevel::kInfo: return spdlog::level::info;
    case LogLevel::kWarning: return spdlog::level::warn;
    case LogLevel::kError: return spdlog::level::err;
    case LogLevel::kOff: return spdlog::level::off;
  }
  return spdlog::level::info;
}

spdlog::logger& stderr_logger() {
  static auto logger = [] {
    auto made = std::make_shared<spdlog::logger>("pegmove",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
    made->set_level(spdlog::level::info);
    made->flush_on(spdlog::level::info);
    return made;
  }();
  return *logger;
}

}  // namespace

LogLevel log_level() {
  for (auto level : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError})
    if (stderr_logger().level() <= spdlog_level(level)) return level;
  return LogLevel::kOff;
}

void set_log_level(LogLevel level) { stderr_logger().set_level(spdlog_level(level)); }

Logger Logger::with(std::string_view key, std::string_view value) const {
  std::string longer = context_;
  if (!longer.empty()) longer += ' ';
  longer.append(key).append("=").append(value);
  return Logger(std::move(longer));
}

void Logger::write(LogLevel level, std::string_view text) const {
  stderr_logger().log(spdlog_level(level), "{}{}{}", context_, context_.empty() ? "" : ": ", text);
}

}  // namespace pegmove::base
