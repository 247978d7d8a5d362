// JSON as Pegasus writes it into block stores, and reads it (src/common/json_helper.h): without
// blanks, the fields in a given order, booleans as 0 and 1. Of an object all fields of its type are
// there and others are passed over, or none is unknown and those that are missing have their
// defaults.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_fields.h"
#include "blockstore/stored_file.h"

namespace pegmove::blockstore {

using PegasusJson = nlohmann::ordered_json;
using PegasusFields = base::OrderedJsonFields;

// What is no UTF-8 is replaced, as JSON has no other text.
std::string dump(const PegasusJson& json);
// What is no JSON is `discarded`, which is no object.
PegasusJson parse_json(std::string_view text);

// Errors of all: kCorrupt, naming the document and the field.
using KnownFields = std::initializer_list<const char*>;
Result<PegasusFields> fields_of(const PegasusJson& object, std::string document, KnownFields known);
// From 0 on; 0 when it is missing.
Result<int64_t> read_count(const PegasusFields& fields, const char* name);
// true and false, too.
Result<bool> read_flag(const PegasusFields& fields, const char* name, bool otherwise);

// [{"name":...,"size":...,"md5":...},...]
PegasusJson files_json(const std::vector<StoredFile>& files);
// Such a list, of a metadata file that also tells their sum. Names are names and none is there
// twice, sizes are not negative and add up, MD5s are ones or empty. Errors: kCorrupt, saying which.
Result<std::vector<StoredFile>> read_files(const PegasusFields& fields, const char* name,
                                           int64_t sum);

}  // namespace pegmove::blockstore
