#include "blockstore/pegasus_json.h"

#include <set>

#include "base/bytes.h"
#include "blockstore/digest.h"
#include "blockstore/path.h"

namespace pegmove::blockstore {
namespace {

std::unexpected<Error> damaged(const std::string& text) { return fail(Code::kCorrupt, text); }

Result<StoredFile> read_file(const PegasusJson& json) {
  const auto fields = TRY(Fields::of(json, {"name", "size", "md5"}));
  StoredFile file{.name = TRY(fields.text("name")),
                  .size = TRY(fields.integer("size", 0)),
                  .md5 = TRY(fields.text("md5"))};
  if (!is_name(file.name))
    return damaged("a file is named \"" + base::printable(file.name) +
                   "\", which is no name of a file in its folder");
  if (!file.md5.empty() && !is_md5_hex(file.md5))
    return damaged("the MD5 of " + file.name + " is none");
  return file;
}

}  // namespace

std::string dump(const PegasusJson& json) {
  return json.dump(-1, ' ', false, PegasusJson::error_handler_t::replace);
}

PegasusJson parse_json(std::string_view text) { return PegasusJson::parse(text, nullptr, false); }

Result<Fields> Fields::of(const PegasusJson& object, std::initializer_list<const char*> known) {
  if (!object.is_object()) return damaged("it is no JSON object");
  size_t found = 0;
  for (const char* name : known) found += object.contains(name);
  if (found != known.size() && found != object.size())
    return damaged("it lacks fields and has others that are not known");
  return Fields(object);
}

Result<int64_t> Fields::integer(const char* name, int64_t otherwise, int64_t least,
                                int64_t most) const {
  const auto found = object_->find(name);
  if (found == object_->end()) return otherwise;
  if (found->is_boolean() && most >= 1) return found->get<bool>() ? 1 : 0;
  const bool fits = found->is_number_integer() &&
                    (!found->is_number_unsigned() ||
                     found->get<uint64_t>() <= uint64_t(std::numeric_limits<int64_t>::max())) &&
                    found->get<int64_t>() >= least && found->get<int64_t>() <= most;
  if (fits) return found->get<int64_t>();
  return damaged("'" + std::string(name) + "' is no whole number from " + std::to_string(least) +
                 " to " + std::to_string(most));
}

Result<bool> Fields::boolean(const char* name, bool otherwise) const {
  return TRY(integer(name, otherwise, 0, 1)) != 0;
}

Result<std::string> Fields::text(const char* name) const {
  const auto found = object_->find(name);
  if (found == object_->end()) return "";
  if (!found->is_string()) return damaged("'" + std::string(name) + "' is no text");
  return found->get<std::string>();
}

PegasusJson files_json(const std::vector<StoredFile>& files) {
  auto list = PegasusJson::array();
  for (const auto& file : files)
    list.push_back({{"name", file.name}, {"size", file.size}, {"md5", file.md5}});
  return list;
}

Result<std::vector<StoredFile>> read_files(const Fields& fields, const char* name, int64_t sum) {
  if (!fields.has(name) || !fields.any(name).is_array())
    return damaged("'" + std::string(name) + "' is no list");
  std::vector<StoredFile> files;
  std::set<std::string> names;
  int64_t total = 0;
  for (const auto& each : fields.any(name)) {
    auto file = TRY(read_file(each));
    if (!names.insert(file.name).second)
      return damaged("the file " + file.name + " is there twice");
    if (file.size > std::numeric_limits<int64_t>::max() - total)
      return damaged("the sizes of the files are impossible");
    total += file.size;
    files.push_back(std::move(file));
  }
  if (total != sum)
    return damaged("the files have " + std::to_string(total) + " bytes and not " +
                   std::to_string(sum));
  return files;
}

}  // namespace pegmove::blockstore
