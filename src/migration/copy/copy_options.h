// What a copy is told to do.
#pragma once

#include <optional>
#include <string>

#include "client/duplicate_write.h"
#include "migration/copy/copy_rules.h"
#include "rows/pump.h"

namespace pegmove::migration {

// How rows are written: kAuto takes DUPLICATE where it can be had (write_method.h).
enum class Through { kAuto, kPlain, kDuplicate };

struct CopyOptions {
  std::string table{};
  std::string to_table{};               // empty: the same name
  bool create = false;                  // make the target table; it must not exist then
  std::optional<int32_t> partitions{};  // of a table to be made; the source's count by default
  // With create: the run that goes on now began to make the target table itself, so it may exist.
  bool made_by_this_run = false;
  bool into_nonempty = false;  // the target may have rows
  Through through = Through::kAuto;
  // The target is written to by clients meanwhile: their rows stay. Needs DUPLICATE, and a table
  // that is duplicated to the target, or `dual_written` by its clients.
  bool live = false;
  bool dual_written = false;
  async::milliseconds timeout{30'000};  // of one request, retries included, while preparing
  // How long a server may be away, or refuse, before the copy fails; rows are tried again that
  // long.
  async::milliseconds retry_for{600'000};
  rows::PumpOptions pump{};
  CopyRules rules{};  // which rows, and how they are written
  // Given: rows are written so, whatever `through` says. For those who measure.
  std::optional<client::DuplicateWrite> duplicate{};
};

}  // namespace pegmove::migration
