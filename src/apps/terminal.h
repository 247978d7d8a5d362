// The terminal: its width, and a question on it that is answered with yes or no.
#pragma once

#include <string>

#include "async/clock.h"
#include "async/stop_signal.h"
#include "async/task.h"

namespace pegmove::apps {

// The columns of the terminal that stdout is; 0: it is none, or does not report it.
size_t columns_of_stdout();

// Whether somebody can be asked: stdin and stderr are a terminal.
bool is_on_terminal();

// Shows "pegmove: QUESTION [y/N] " on stderr and waits for a line of stdin. Anything but "y" and
// "yes", also the end of the input, means no. Clock and stop must outlive it. Errors: kInterrupted.
Task<bool> ask_on_terminal(Clock& clock, const async::StopSignal& stop, std::string question);

}  // namespace pegmove::apps
