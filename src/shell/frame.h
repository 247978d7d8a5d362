// What Pegasus's shell prints around the commands' own output. Programs that drive the real shell
// read it, so it is the same here, on the same streams (Pegasus: src/shell/main.cpp; seen on a real
// shell). The only line left out is about the log folder, which pegmove does not have.
#pragma once

#include <iosfwd>
#include <string>

#include "shell/session.h"

namespace pegmove::shell {

// Prints the first lines on `out`: version, help, the configuration file (empty: none is used), and
// the cluster's name and meta servers.
void greet(Session& session, const std::string& config_file);

// Carries out the commands of `in`, one a line, until its end, "exit", or a request to stop, inside
// of the frame: greet() before, "dsn exit with code 0" on `out` at the end, and the totals of
// copy_data, clear_data and count_data on `err`. As in Pegasus's shell a command that fails does
// not end it.
void run_piped(Session& session, std::istream& in, const std::string& config_file);

}  // namespace pegmove::shell
