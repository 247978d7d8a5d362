// The options of a copy.
#pragma once

#include <optional>
#include <string>

#include "client/duplicate_write.h"
#include "migration/copy/copy_rules.h"
#include "rows/pump.h"

namespace pegmove::migration {

// How rows are written: kAuto uses DUPLICATE where it is possible (write_method.h).
enum class Through { kAuto, kPlain, kDuplicate };

struct CopyOptions {
  std::string table{};
  std::string to_table{};               // empty: the same name
  bool create = false;                  // create the target table; it must not exist then
  std::optional<int32_t> partitions{};  // of a table to be created; the source's count by default
  // With create: the resumed run began to create the target table itself, so it may exist.
  bool made_by_this_run = false;
  bool into_nonempty = false;  // the target may have rows
  Through through = Through::kAuto;
  // Clients write to the target during the copy: their rows are kept. Needs DUPLICATE, and a table
  // that is duplicated to the target, or `dual_written` by its clients.
  bool live = false;
  bool dual_written = false;
  async::milliseconds timeout{30'000};  // of one request, retries included, while preparing
  // How long rows are tried again while a server is down or refuses requests, before the copy
  // fails.
  async::milliseconds retry_for{600'000};
  rows::PumpOptions pump{};
  CopyRules rules{};  // which rows, and how they are written
  // When given, rows are written with this, whatever `through` says. For benchmarks.
  std::optional<client::DuplicateWrite> duplicate{};
};

}  // namespace pegmove::migration
