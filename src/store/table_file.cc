#include "store/table_file.h"

#include <fmt/format.h>
#include <rocksdb/sst_file_reader.h>

#include <algorithm>
#include <filesystem>

#include "base/bytes.h"
#include "record/hash.h"
#include "record/key.h"
#include "record/value.h"
#include "store/status.h"

namespace pegmove::store {
namespace {

struct KeyRange {
  std::string name;  // of the file
  std::string first, last;
};

class TableFileCheck {
 public:
  TableFileCheck(const std::string& path, TablePlace place)
      : path_(path), name_(std::filesystem::path(path).filename()), place_(place) {}

  Result<KeyRange> carry_out() {
    auto status = reader_.Open(path_);
    if (!status.ok()) return fail(Code::kCorrupt, to_error(status, "opening", path_).message());
    rocksdb::ReadOptions options;
    options.readahead_size = 1 << 20;
    const std::unique_ptr<rocksdb::Iterator> rows(reader_.NewIterator(options));
    KeyRange range{.name = name_, .first = "", .last = ""};
    int64_t count = 0;
    for (rows->SeekToFirst(); rows->Valid(); rows->Next(), ++count) {
      TRY(check_row(rows->key().ToStringView(), rows->value().ToStringView()));
      if (count == 0) range.first = rows->key().ToString();
      range.last.assign(rows->key().data(), rows->key().size());
    }
    if (!rows->status().ok()) return fail(to_error(rows->status(), "reading", path_));
    if (count == 0) return wrong("it has no rows");
    return range;
  }

 private:
  std::unexpected<Error> wrong(const std::string& what) const {
    return fail(Code::kCorrupt,
                fmt::format("the file {} of partition {}: {}", name_, place_.partition, what));
  }

  Result<void> check_row(std::string_view key, std::string_view value) const {
    if (key.empty()) return {};
    const auto parts = record::split_key(key);
    if (!parts) return wrong("a key that is none: " + base::printable(key));
    const auto belongs =
        record::partition_index(record::raw_key_hash(*parts), place_.partition_count);
    if (belongs != place_.partition)
      return wrong(fmt::format("the key {} belongs to partition {} of {}", base::printable(key),
                               belongs, place_.partition_count));
    if (!record::decode_value(place_.data_version, value))
      return wrong(
          fmt::format("the value of key {} is shorter than its header", base::printable(key)));
    return {};
  }

  std::string path_, name_;
  TablePlace place_;
  rocksdb::SstFileReader reader_{rocksdb::Options()};
};

}  // namespace

Result<void> check_table_files(const std::vector<std::string>& paths, TablePlace place) {
  std::vector<KeyRange> ranges;
  for (const auto& path : paths) ranges.push_back(TRY(TableFileCheck(path, place).carry_out()));
  std::ranges::sort(ranges, {}, &KeyRange::first);
  for (size_t i = 1; i < ranges.size(); ++i)
    if (ranges[i].first <= ranges[i - 1].last)
      return fail(Code::kCorrupt,
                  fmt::format("the files {} and {} of partition {} overlap at the key {}",
                              ranges[i - 1].name, ranges[i].name, place.partition,
                              base::printable(ranges[i].first)));
  return {};
}

}  // namespace pegmove::store
