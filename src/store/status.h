// RocksDB's statuses as errors of this project.
#pragma once

#include <rocksdb/status.h>

#include <string_view>

#include "base/result.h"

namespace pegmove::store {

// The error for a status that is not ok. `doing` says what failed ("opening", "writing to"), `path`
// is the folder of the database; both stand in the message, with RocksDB's own words behind.
//   kCorrupt      a checksum, a format, or files that contradict each other
//   kIo           the operating system refused; is_disk_full() tells a full disk
//   kBusy         the database is open elsewhere, or is just repairing itself
//   kUnsupported  RocksDB understands it and cannot do it
//   kNotFound, kInvalidArgument, kInterrupted (it is closing), kInternal: anything else
Error to_error(const rocksdb::Status& status, std::string_view doing, std::string_view path);

// Whether an error of this folder means that the disk is full: space has to be made first.
bool is_disk_full(const Error& error);

}  // namespace pegmove::store
