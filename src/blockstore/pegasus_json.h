// JSON as Pegasus writes it to block stores and reads it (src/common/json_helper.h): without
// spaces, the fields in a given order, booleans as 0 and 1. An object either has all fields of its
// type, and others are ignored; or it has no unknown fields, and missing ones have their defaults.
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

// Invalid UTF-8 is replaced, since JSON allows only UTF-8.
std::string dump(const PegasusJson& json);
// A text that is not JSON is `discarded`, which is not an object.
PegasusJson parse_json(std::string_view text);

// Errors of all: kCorrupt, naming the document and the field.
using KnownFields = std::initializer_list<const char*>;
Result<PegasusFields> fields_of(const PegasusJson& object, std::string document, KnownFields known);
// At least 0; 0 when it is missing.
Result<int64_t> read_count(const PegasusFields& fields, const char* name);
// Also true and false.
Result<bool> read_flag(const PegasusFields& fields, const char* name, bool otherwise);

// [{"name":...,"size":...,"md5":...},...]
PegasusJson files_json(const std::vector<StoredFile>& files);
// Reads such a list from a metadata file that also contains the sum of sizes. Checks that names are
// valid and unique, sizes are not negative and add up, MD5s are well formed or empty. Errors:
// kCorrupt, saying what is wrong.
Result<std::vector<StoredFile>> read_files(const PegasusFields& fields, const char* name,
                                           int64_t sum);

}  // namespace pegmove::blockstore
