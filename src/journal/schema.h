// The journal's file: creating it, recognizing it, and converting it from an older version.
#pragma once

#include <span>
#include <string>

#include "journal/sqlite.h"

namespace pegmove::journal {

// The steps from version to version; the first creates version 1. A released step is never changed;
// a change of the tables is one more step.
std::span<const std::string_view> schema_steps();

// Opens the journal at an absolute path, and creates it when it does not exist: with mode 0600, and
// complete before it gets its name. An older version is converted to the last of `steps`, in one
// transaction, after its file was copied to "PATH.vVERSION". Both are durable when this returns; a
// power cut before that leaves the older version or, with the copy, the last one. Errors:
// kInvalidArgument (not a journal), kUnsupported (created by a newer pegmove, or its file system
// has no locks, links or shared mappings: lacking_error()), kCorrupt (damaged), kBusy, kIo. A file
// that is refused is not changed.
Result<Connection> open_journal(const std::string& path, int busy_timeout_ms,
                                std::span<const std::string_view> steps);

}  // namespace pegmove::journal
