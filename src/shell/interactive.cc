// Commands from a person: readline's line editing, completion and history.
#include <readline/history.h>
#include <readline/readline.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <ostream>

#include "shell/command.h"
#include "shell/frame.h"

namespace pegmove::shell {
namespace {

constexpr const char* kPrompt = ">>> ";
constexpr int kHistoryLines = 1000;

// Readline and signal handlers are called without an argument of ours, so the one session that is
// interactive, and the words that complete what is typed, stand here.
Session* current = nullptr;
std::vector<std::string> candidates;

bool takes_table_name(std::string_view command) {
  constexpr std::string_view kCommands[] = {"use",
                                            "app",
                                            "app_disk",
                                            "drop",
                                            "rename",
                                            "get_replica_count",
                                            "set_replica_count",
                                            "get_atomic_idempotent",
                                            "enable_atomic_idempotent",
                                            "disable_atomic_idempotent"};
  return std::ranges::find(kCommands, command) != std::end(kCommands);
}

// The first of the candidates from `state` on that begin with `text`; readline frees it.
char* next_candidate(const char* text, int state) {
  static size_t next;
  if (state == 0) next = 0;
  while (next < candidates.size())
    if (const auto& word = candidates[next++]; word.starts_with(text)) return strdup(word.c_str());
  return nullptr;
}

char** complete(const char* text, int start, int) {
  rl_attempted_completion_over = 1;  // no file names
  std::string_view before(rl_line_buffer, size_t(start));
  auto first = before.find_first_not_of(" \t");
  candidates.clear();
  if (first == before.npos) {
    for (const auto& command : all_commands()) candidates.emplace_back(command.name);
  } else {
    before.remove_prefix(first);
    auto command = before.substr(0, before.find_first_of(" \t"));
    if (takes_table_name(command)) candidates = current->table_names();
  }
  return rl_completion_matches(text, next_candidate);
}

// Readline looks here ten times a second while it waits for keys.
int leave_when_stopped() {
  if (current->wants_exit()) rl_done = 1;
  return 0;
}

void on_interrupt(int) { current->stop_signal().request(); }

// While it exists, readline and Ctrl-C work for this shell.
class Terminal : public LineSource {
 public:
  Terminal(Session& session, std::string history_path) : history_path_(std::move(history_path)) {
    current = &session;
    session.set_lines(this);
    using_history();
    stifle_history(kHistoryLines);
    if (!history_path_.empty()) read_history(history_path_.c_str());  // there may be none yet
    rl_readline_name = "pegmove";
    rl_attempted_completion_function = complete;
    rl_event_hook = leave_when_stopped;
    rl_catch_signals = 0;
    struct sigaction action{};
    action.sa_handler = on_interrupt;
    sigaction(SIGINT, &action, &old_action_);
  }
  ~Terminal() override {
    current->set_lines(nullptr);
    sigaction(SIGINT, &old_action_, nullptr);
    rl_event_hook = nullptr;
    rl_attempted_completion_function = nullptr;
    clear_history();
    current = nullptr;
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  bool is_attended() const override { return true; }
  std::optional<std::string> next_line() override {
    std::unique_ptr<char, decltype(&std::free)> line(readline(kPrompt), &std::free);
    if (!line || current->wants_exit()) return std::nullopt;
    return std::string(line.get());
  }

  // Written at once: the program may be killed. Keys and values may be secrets: for the owner only.
  void remember(const std::string& line) {
    if (line.empty()) return;
    add_history(line.c_str());
    if (history_path_.empty()) return;
    auto old_mask = umask(077);
    write_history(history_path_.c_str());
    umask(old_mask);
  }

 private:
  std::string history_path_;
  struct sigaction old_action_{};
};

}  // namespace

void run_interactive(Session& session, const std::string& config_file,
                     const std::string& history_path) {
  greet(session, config_file);
  Terminal terminal(session, history_path);
  while (!session.wants_exit()) {
    auto line = terminal.next_line();
    if (!line) break;
    terminal.remember(*line);
    session.execute(*line);
  }
  session.out() << std::endl;
}

}  // namespace pegmove::shell
