// The file of a MetaStore: a head, then records, each a batch of changes.
//
//   head    "pegmove meta store 1\n", size, crc      size: of the file when it was renamed
//   record  "\xFFrecord\xFF", crc, size, changes     size: of the changes
//   change  size, path, size, value                  size of a removed value: 0xFFFFFFFF
//
// Numbers are big-endian, of 4 bytes (the head's size of 8); a crc is the CRC-32C of what follows
// it (the head's: of what precedes it). The mark at the beginning of a record cannot occur in UTF-8
// text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "server/meta/store/meta_values.h"

namespace pegmove::server::meta {

// Of the changes of a record.
inline constexpr size_t kMostRecordBytes = 64 << 20;

// The changes of a record, without its frame.
std::string encode_changes(const MetaBatch& batch);
std::string frame_record(std::string_view changes);
// A whole file with these values.
std::string encode_log(const MetaValues& values);

// A file's values. A write that was cut off leaves a last record that is incomplete: it is ignored,
// since it was never acknowledged. Errors: kCorrupt when anything else is wrong, naming the byte;
// kUnsupported for a later version.
Result<MetaValues> decode_log(std::string_view bytes);

}  // namespace pegmove::server::meta
