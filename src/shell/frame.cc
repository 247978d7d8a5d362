#include "shell/frame.h"

#include <istream>
#include <ostream>

namespace pegmove::shell {
namespace {

class PipedLines : public LineSource {
 public:
  explicit PipedLines(std::istream& in) : in_(in) {}
  std::optional<std::string> next_line() override {
    std::string line;
    if (!std::getline(in_, line)) return std::nullopt;
    return line;
  }

 private:
  std::istream& in_;
};

}  // namespace

void greet(Session& session, const std::string& config_file) {
  auto& out = session.out();
  session.execute("version");
  out << "Type \"help\" for more information.\n"
         "Type \"Ctrl-D\" or \"Ctrl-C\" to exit the shell.\n\n"
         "The config file is: "
      << (config_file.empty() ? "none" : config_file) << "\n";
  if (session.cluster()) session.execute("cc");
  out.flush();
}

void run_piped(Session& session, std::istream& in, const std::string& config_file) {
  greet(session, config_file);
  PipedLines lines(in);
  session.set_lines(&lines);
  session.print_totals_on_err();
  while (!session.wants_exit()) {
    auto line = lines.next_line();
    if (!line) break;
    session.execute(*line);
  }
  session.set_lines(nullptr);
  session.out() << "dsn exit with code 0" << std::endl;
}

}  // namespace pegmove::shell
