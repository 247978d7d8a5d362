// JSON as Pegasus writes it into block stores, and reads it (src/common/json_helper.h): without
// blanks, the fields in a given order, booleans as 0 and 1. Of an object all fields of its type are
// there and others are passed over, or none is unknown and those that are missing have their
// defaults.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"
#include "blockstore/stored_file.h"

namespace pegmove::blockstore {

using PegasusJson = nlohmann::ordered_json;

// What is no UTF-8 is replaced, as JSON has no other text.
std::string dump(const PegasusJson& json);
// What is no JSON is `discarded`, of which Fields::of() says that it is no object.
PegasusJson parse_json(std::string_view text);

// The fields of one object, which outlives it. Errors of all: kCorrupt, naming the field.
class Fields {
 public:
  static Result<Fields> of(const PegasusJson& object, std::initializer_list<const char*> known);

  Result<int64_t> integer(const char* name, int64_t otherwise, int64_t least = 0,
                          int64_t most = std::numeric_limits<int64_t>::max()) const;
  Result<bool> boolean(const char* name, bool otherwise) const;
  Result<std::string> text(const char* name) const;  // "" when it is missing
  bool has(const char* name) const { return object_->contains(name); }
  const PegasusJson& any(const char* name) const { return object_->at(name); }

 private:
  explicit Fields(const PegasusJson& object) : object_(&object) {}
  const PegasusJson* object_;
};

// [{"name":...,"size":...,"md5":...},...]
PegasusJson files_json(const std::vector<StoredFile>& files);
// Such a list, of a metadata file that also tells their sum. Names are names and none is there
// twice, sizes are not negative and add up, MD5s are ones or empty. Errors: kCorrupt, saying which.
Result<std::vector<StoredFile>> read_files(const Fields& fields, const char* name, int64_t sum);

}  // namespace pegmove::blockstore
