#include "shell/session.h"

#include <fmt/format.h>

#include <ostream>

#include "base/text.h"
#include "shell/command.h"
#include "shell/words.h"

namespace pegmove::shell {
namespace {

using async::milliseconds;

constexpr milliseconds kMetaTimeout{10'000};       // as a real shell's default of a task
constexpr milliseconds kCompletionTimeout{2'000};  // a person waits, and for a nicety

// Says on err what is missing.
bool is_ready_for(Session& session, Needs needs) {
  if (needs == Needs::kNothing) return true;
  if (!session.cluster()) {
    session.err() << "ERROR: not connected to a cluster; name one: cc CLUSTER, or cc HOST:PORT\n";
    return false;
  }
  if (needs == Needs::kTable && session.settings().table.empty()) {
    session.err() << "No app is using now\nUSAGE: use [app_name]\n";
    return false;
  }
  return true;
}

class ScriptLines : public LineSource {
 public:
  explicit ScriptLines(std::vector<ScriptCommand> commands) : commands_(std::move(commands)) {}
  std::optional<std::string> next_line() override {
    if (next_ == commands_.size()) return std::nullopt;
    return commands_[next_++].text;
  }

 private:
  std::vector<ScriptCommand> commands_;
  size_t next_ = 0;
};

// Says on err which is the first that cannot be split into words.
bool are_well_formed(const std::vector<ScriptCommand>& commands, std::ostream& err) {
  for (const auto& command : commands)
    if (auto words = split_words(command.text); !words) {
      err << fmt::format(
          "ERROR: line {}: {}: a quote is not closed in its line, or its end is not followed by a "
          "blank; a line break in a value is written as \\n in double quotes. No command was run\n",
          command.line, words.error().message());
      return false;
    }
  return true;
}

}  // namespace

Session::Session(asio::io_context& context, client::Client& client,
                 const ClusterDirectory& clusters, std::ostream& out, std::ostream& err)
    : context_(context), client_(client), clusters_(clusters), out_(out), err_(err) {}

Deadline Session::meta_deadline() { return Deadline::in(clock(), kMetaTimeout); }

Result<std::shared_ptr<client::Cluster>> Session::open_cluster(std::string_view cluster) {
  auto metas = TRY(clusters_.metas_of(cluster));
  return run(client::Cluster::connect(client_, std::move(metas), meta_deadline()));
}

Result<void> Session::connect(std::string cluster) {
  cluster_ = TRY(open_cluster(cluster));
  cluster_word_ = std::move(cluster);
  forget_table();
  return {};
}

Result<std::shared_ptr<client::Table>> Session::table() {
  if (!table_ || table_->name() != settings_.table) {
    table_ = TRY(run(client::Table::open(cluster_, settings_.table, deadline())));
    table_->router().set_on_busy(client::OnBusy::kFail);
  }
  return table_;
}

std::vector<std::string> Session::table_names() {
  std::vector<std::string> names;
  if (!cluster_) return names;
  auto tables = run(cluster_->tables(client::ListedTables::kAvailable,
                                     Deadline::in(clock(), kCompletionTimeout)));
  if (!tables) return names;
  for (auto& table : *tables) names.push_back(std::move(table.name));
  return names;
}

bool Session::execute(std::string_view line) {
  auto words = split_words(base::without_byte_order_mark(line));
  if (!words) {
    err_ << words.error().message() << "\n";
    return false;
  }
  if (words->empty()) return true;
  const auto* command = find_command(words->front());
  if (!command) {
    err_ << "ERROR: invalid subcommand '" << words->front() << "'\n" << help_text();
    return false;
  }
  if (!is_ready_for(*this, command->needs)) return false;
  auto outcome = command->run(*this, Words(*words).subspan(1));
  if (outcome == Outcome::kWrongUsage) err_ << "USAGE: " << usage_text(*command);
  out_.flush();
  err_.flush();
  return outcome == Outcome::kDone && out_;
}

bool run_script(Session& session, std::string_view script) {
  auto commands = split_commands(script);
  if (!are_well_formed(commands, session.err())) return false;
  ScriptLines lines(std::move(commands));
  session.set_lines(&lines);
  bool succeeded = true;
  while (succeeded && !session.wants_exit()) {
    auto line = lines.next_line();
    if (!line) break;
    succeeded = session.execute(*line);
  }
  session.set_lines(nullptr);
  return succeeded && session.out() && !session.stop_signal().requested();
}

}  // namespace pegmove::shell
