// The journal's file: how it is made, told from other files, and brought from an older version to
// this one's.
#pragma once

#include <span>
#include <string>

#include "journal/sqlite.h"

namespace pegmove::journal {

// The steps from version to version: the first makes version 1 out of nothing. What a released
// step says is never changed; a change of the tables is one more step.
std::span<const std::string_view> schema_steps();

// Opens the journal at an absolute path, and makes it when there is nothing: with mode 0600, whole
// before it has its name. An older version is brought up to the last of `steps`, in one
// transaction. Errors: kInvalidArgument (no journal), kUnsupported (made by a newer pegmove),
// kCorrupt (damaged), kBusy, kIo. A file that is refused stays as it is.
Result<Connection> open_journal(const std::string& path, int busy_timeout_ms,
                                std::span<const std::string_view> steps);

}  // namespace pegmove::journal
