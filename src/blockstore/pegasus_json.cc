#include "blockstore/pegasus_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "base/bytes.h"
#include "base/json_text.h"
#include "blockstore/digest.h"
#include "blockstore/path.h"

namespace pegmove::blockstore {
namespace {

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

Result<void> check_known(const PegasusFields& fields, KnownFields known) {
  const bool has_all =
      std::ranges::all_of(known, [&](const char* name) { return fields.has(name); });
  if (has_all || fields.only(known)) return {};
  return fields.wrong("fields are missing and others are unknown");
}

Result<StoredFile> read_file(const PegasusFields& fields) {
  TRY(check_known(fields, {"name", "size", "md5"}));
  StoredFile file{.name = TRY(fields.text("name", "")),
                  .size = TRY(read_count(fields, "size")),
                  .md5 = TRY(fields.text("md5", ""))};
  if (!is_name(file.name))
    return fields.wrong(fmt::format("a file is named \"{}\", which is not a valid file name",
                                    base::printable(file.name)));
  if (!file.md5.empty() && !is_md5_hex(file.md5))
    return fields.wrong(fmt::format("the MD5 of {} is malformed", file.name));
  return file;
}

}  // namespace

std::string dump(const PegasusJson& json) {
  return base::json_text(json, -1, base::NoUtf8::kReplace);
}

PegasusJson parse_json(std::string_view text) { return base::parse_json<PegasusJson>(text); }

Result<PegasusFields> fields_of(const PegasusJson& object, std::string document,
                                KnownFields known) {
  auto fields = TRY(PegasusFields::of(object, std::move(document)));
  TRY(check_known(fields, known));
  return fields;
}

Result<int64_t> read_count(const PegasusFields& fields, const char* name) {
  return fields.integer(name, 0, kMost, 0);
}

Result<bool> read_flag(const PegasusFields& fields, const char* name, bool otherwise) {
  if (!fields.has(name)) return otherwise;
  if (TRY(fields.any(name))->is_boolean()) return fields.boolean(name);
  return TRY(fields.integer(name, 0, 1)) != 0;
}

PegasusJson files_json(const std::vector<StoredFile>& files) {
  auto list = PegasusJson::array();
  for (const auto& file : files)
    list.push_back({{"name", file.name}, {"size", file.size}, {"md5", file.md5}});
  return list;
}

Result<std::vector<StoredFile>> read_files(const PegasusFields& fields, const char* name,
                                           int64_t sum) {
  std::vector<StoredFile> files;
  std::set<std::string> names;
  int64_t total = 0;
  for (const auto& each : TRY(fields.objects(name))) {
    auto file = TRY(read_file(each));
    if (!names.insert(file.name).second)
      return fields.wrong(fmt::format("the file {} is listed twice", file.name));
    if (file.size > kMost - total) return fields.wrong("the sizes of the files are impossible");
    total += file.size;
    files.push_back(std::move(file));
  }
  if (total != sum)
    return fields.wrong(fmt::format("the files have {} bytes instead of {}", total, sum));
  return files;
}

}  // namespace pegmove::blockstore
