#include "server_process.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace pegmove::kill {
namespace {

constexpr std::chrono::seconds kReadyWithin{30};

// What is there now; a folder that changes meanwhile may be counted in part.
size_t entries_of(const std::string& folder) {
  std::error_code error;
  size_t count = 0;
  for (std::filesystem::recursive_directory_iterator entry(folder, error), end;
       !error && entry != end; entry.increment(error))
    ++count;
  return count;
}

}  // namespace

void ServerProcess::fail(const std::string& what) {
  std::ostringstream log;
  log << std::ifstream(log_path()).rdbuf();
  auto text = log.str();
  constexpr size_t kMost = 4000;
  if (text.size() > kMost) text = "..." + text.substr(text.size() - kMost);
  throw std::runtime_error(what + "; the end of its log:\n" + text);
}

void ServerProcess::start() {
  auto process = base::ChildProcess::start(
      {options_.program, "cluster", "start", "--name", "kill", "--data", options_.folder + "/data",
       "--meta-port", std::to_string(options_.meta_port), "--replica-port",
       std::to_string(options_.replica_port), "--replica-servers", "2"},
      {.log = log_path(), .appends_to_log = true, .signal_at_callers_end = SIGKILL});
  if (!process) throw std::runtime_error(process.error().to_string());
  process_.emplace(*std::move(process));
  is_ready_ = false;
}

void ServerProcess::wait_for_entries(size_t count) {
  while (!is_ready_ && entries_of(options_.folder + "/data") < count) {
    const auto line = process_->next_line({.limit = std::chrono::milliseconds(1)});
    if (line && !*line) return;  // it has ended
    is_ready_ = line && (*line)->contains("ready");
  }
}

void ServerProcess::wait_until_ready() {
  while (!is_ready_) {
    const auto line = process_->next_line({.limit = kReadyWithin});
    if (!line) fail("the server is not ready: " + line.error().to_string());
    if (!*line) fail("the server ended while it started");
    is_ready_ = (*line)->contains("ready");
  }
}

void ServerProcess::expect_running() {
  const auto code = process_->ended();
  if (!code) return;
  process_.reset();
  fail("the server ended by itself (" + std::to_string(*code) + ")");
}

void ServerProcess::kill() {
  if (process_) process_->kill_now();
  process_.reset();
}

void ServerProcess::stop() {
  process_->send(SIGTERM);
  const auto code = process_->wait();
  process_.reset();
  if (!code || *code != 0)
    fail("the server did not stop in good order (" + std::to_string(code.value_or(-1)) + ")");
}

}  // namespace pegmove::kill
