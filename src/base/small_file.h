// Small files that are read and replaced as a whole.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pegmove::base {

// The whole file; nothing when there is none.
// Errors: kIo when it cannot be read, kCorrupt when it has more than `most_bytes`.
Result<std::optional<std::string>> read_file(const std::string& path, size_t most_bytes);

// A file with a secret, at a path that a person gave: credentials, a token. Links are followed
// (Kubernetes mounts secrets as links). Its owner is not looked at: a container often runs as
// another user. Errors never repeat its text: kNotFound; kRefused when more than its owner may
// write it; kCorrupt when it has more than `most_bytes`; kIo.
Result<std::string> read_secret(const std::string& path, size_t most_bytes);

// All that a file, a pipe or a device holds that a person named; links are followed.
// Errors: kNotFound; kIo when it cannot be read, which a folder cannot; kCorrupt when it has more
// than `most_bytes`.
Result<std::string> read_input(const std::string& path, size_t most_bytes);

// Replaces the file with the text, as an AtomicFile (base/atomic_file.h): the text is on disk when
// this returns. Errors: kIo; the file then has its old text or, when the last step (syncing the
// folder) failed, perhaps the new one.
Result<void> replace_file(const std::string& path, std::string_view text);

}  // namespace pegmove::base
