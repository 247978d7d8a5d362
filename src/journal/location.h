// The place of the journal's file, and the folders above it.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"

namespace pegmove::journal {

// The value of an environment variable, or nullptr: std::getenv, or a test's own.
using Environment = std::function<const char*(const char* name)>;

// The journal's path without --state: $XDG_STATE_HOME/pegmove/journal.db, or
// ~/.local/state/pegmove/journal.db (XDG Base Directory Specification: a relative XDG_STATE_HOME
// does not count). Errors: kInvalidArgument when neither it nor HOME names an absolute folder.
Result<std::string> default_state_path(const Environment& environment);

// Creates missing folders above the file, with mode 0700, and returns the file's path, absolute and
// without links, so that one file has one name. Errors: kInvalidArgument (not a path of a file),
// kIo.
Result<std::string> prepare_place(const std::string& path);

}  // namespace pegmove::journal
