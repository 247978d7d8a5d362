// Small files that are replaced as a whole, so that a reader finds the old text or the new one and
// never a part of either, also after a kill or a power cut.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pegmove::base {

// Makes the folder if it is missing (its parent must exist) and waits until that is on disk.
// Errors: kIo.
Result<void> ensure_folder(const std::string& folder);

// The whole file; nothing when there is none.
// Errors: kIo when it cannot be read, kCorrupt when it has more than `most_bytes`.
Result<std::optional<std::string>> read_file(const std::string& path, size_t most_bytes);

// Puts the text in the place of the file. It is written to "<path>.tmp", synced and renamed over,
// and the folder is synced: the text is on disk when this returns.
// Errors: kIo; the file then has its old text, or, when the last step (syncing the folder) failed,
// perhaps the new one.
Result<void> replace_file(const std::string& path, std::string_view text);

// Removes what a replace_file that was killed left behind. Nothing to remove is no error.
// Errors: kIo.
Result<void> remove_leftover(const std::string& path);

}  // namespace pegmove::base
