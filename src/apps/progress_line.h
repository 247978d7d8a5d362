// Progress of long work on stderr: in place on a terminal, one line per second elsewhere.
#pragma once

#include <string>

namespace pegmove::apps {

class ProgressLine {
 public:
  // `quiet`: shows nothing.
  explicit ProgressLine(bool quiet);
  ~ProgressLine();  // ends the line on a terminal
  void show(const std::string& text);
  void end();  // further output on stderr begins on a new line

 private:
  bool quiet_;
  bool in_place_;
  bool shown_ = false;
};

}  // namespace pegmove::apps
