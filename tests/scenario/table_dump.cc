// Shows the rows of a Pegasus table by reading its partitions' RocksDB files: a second opinion on
// what a copy has done. It links RocksDB and nothing of pegmove, and knows the formats by itself,
// so that a mistake in pegmove's reading or writing of rows cannot hide itself here.
//
//   table_dump [--count | --digest] [--hash-only] [--now UNIX_SECONDS] FOLDER...
//
// The folders are those of the databases, one a partition. Databases that are open elsewhere are
// fine while nobody writes to them. Rows that are expired at --now (default: the present) are left
// out. Lines, sorted:  HASH_KEY_HEX SORT_KEY_HEX VALUE EXPIRE_UNIX_SECONDS
// An empty key or value is "-"; a value of more than 64 bytes, with --hash-only each, is
// "#HASH:SIZE"; without expiry the last column is 0. --count prints the number of rows, --digest
// the number and a digest of keys, values and expiry that does not depend on the order.
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/options.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr int64_t kPegasusEpoch = 1'451'606'400;  // 2016-01-01 in Unix seconds
constexpr size_t kLongestHexValue = 64;
constexpr int kTries = 20;  // a database that is open elsewhere may drop a file under our hands

struct Arguments {
  bool count = false;
  bool digest = false;
  bool hash_only = false;
  int64_t now = time(nullptr);
  std::vector<std::string> folders;
};

// RocksDB would put its log, named LOG, into the folder of a database that another process uses.
class SilentLog : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char* /*format*/, va_list /*arguments*/) override {}
};

// FNV-1a, with its bits mixed at the end.
class Hash {
 public:
  explicit Hash(uint64_t seed) : state_(seed) {}
  void add(std::string_view bytes) {
    for (unsigned char byte : bytes) state_ = (state_ ^ byte) * 0x100000001b3;
  }
  // A field: its length first, so that fields cannot run into each other.
  void add_field(std::string_view bytes) {
    add_number(bytes.size());
    add(bytes);
  }
  void add_number(uint64_t number) {
    for (int shift = 0; shift < 64; shift += 8)
      state_ = (state_ ^ (number >> shift & 0xff)) * 0x100000001b3;
  }
  uint64_t end() const {
    auto mixed = (state_ ^ state_ >> 30) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
    return mixed ^ mixed >> 31;
  }

 private:
  uint64_t state_;
};

struct Totals {
  uint64_t rows = 0;
  uint64_t first = 0;  // sums of two hashes of every row
  uint64_t second = 0;
};

struct Row {
  std::string_view hash_key, sort_key, value;
  uint32_t expire_ts = 0;  // seconds since kPegasusEpoch; 0: never

  bool expired(int64_t now_unix) const {
    return expire_ts != 0 && int64_t{expire_ts} + kPegasusEpoch <= now_unix;
  }
};

uint32_t big_endian(std::string_view bytes) {
  uint32_t number = 0;
  for (unsigned char byte : bytes) number = number << 8 | byte;
  return number;
}

// False: no row of a table.
bool split(std::string_view key, std::string_view value, int data_version, Row& row) {
  if (key.size() < 2) return false;
  size_t hash_key_size = big_endian(key.substr(0, 2));
  if (hash_key_size > key.size() - 2) return false;
  row.hash_key = key.substr(2, hash_key_size);
  row.sort_key = key.substr(2 + hash_key_size);
  // Version 0: expiry. 1: expiry and an 8-byte timetag. 2: those behind one more byte.
  size_t before_expiry = data_version == 2 ? 1 : 0;
  size_t header = data_version == 0 ? 4 : before_expiry + 12;
  if (value.size() < header) return false;
  row.expire_ts = big_endian(value.substr(before_expiry, 4));
  row.value = value.substr(header);
  return true;
}

void append_hex(std::string& out, std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  if (bytes.empty()) out += '-';
  for (unsigned char byte : bytes) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
}

std::string line_of(const Row& row, bool hash_only) {
  std::string line;
  append_hex(line, row.hash_key);
  line += ' ';
  append_hex(line, row.sort_key);
  line += ' ';
  if (!hash_only && row.value.size() <= kLongestHexValue) {
    append_hex(line, row.value);
  } else {
    Hash hash(1);
    hash.add(row.value);
    char text[64];
    std::snprintf(text, sizeof text, "#%016llx:%zu", static_cast<unsigned long long>(hash.end()),
                  row.value.size());
    line += text;
  }
  line += ' ';
  line += std::to_string(row.expire_ts == 0 ? 0 : int64_t{row.expire_ts} + kPegasusEpoch);
  return line;
}

void add_to(Totals& totals, const Row& row, bool digest) {
  ++totals.rows;
  if (!digest) return;
  uint64_t sums[2];
  for (int i = 0; i < 2; ++i) {
    Hash hash(i == 0 ? 0xcbf29ce484222325 : 0x9e3779b97f4a7c15);
    hash.add_field(row.hash_key);
    hash.add_field(row.sort_key);
    hash.add_field(row.value);
    hash.add_number(row.expire_ts);
    sums[i] = hash.end();
  }
  totals.first += sums[0];
  totals.second += sums[1];
}

// A database that is open for reading; its handles go before it.
struct Database {
  std::unique_ptr<rocksdb::DB> db;
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  rocksdb::ColumnFamilyHandle* rows = nullptr;
  int data_version = 0;

  ~Database() {
    for (auto* family : families) db->DestroyColumnFamilyHandle(family).PermitUncheckedError();
  }
};

rocksdb::Status open(const std::string& folder, Database& to) {
  rocksdb::DBOptions options;
  options.info_log = std::make_shared<SilentLog>();
  options.max_open_files = 64;
  std::vector<std::string> names;
  auto status = rocksdb::DB::ListColumnFamilies(options, folder, &names);
  if (!status.ok()) return status;
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const auto& name : names) families.emplace_back(name, rocksdb::ColumnFamilyOptions());
  rocksdb::DB* db = nullptr;
  status = rocksdb::DB::OpenForReadOnly(options, folder, families, &to.families, &db);
  if (!status.ok()) return status;
  to.db.reset(db);
  rocksdb::ColumnFamilyHandle* meta = nullptr;
  for (auto* family : to.families) {
    if (family->GetName() == rocksdb::kDefaultColumnFamilyName) to.rows = family;
    if (family->GetName() == "pegasus_meta_cf") meta = family;
  }
  if (meta == nullptr) return rocksdb::Status::Corruption("no pegasus_meta_cf");
  std::string version;
  status = db->Get({}, meta, "pegasus_data_version", &version);
  if (status.ok() && version != "0" && version != "1" && version != "2")
    return rocksdb::Status::Corruption("data version " + version);
  if (status.ok()) to.data_version = version[0] - '0';
  return status;
}

// What one try finds goes to the fresh `totals` and `lines`.
rocksdb::Status read(const Arguments& arguments, const std::string& folder, Totals& totals,
                     std::vector<std::string>& lines) {
  Database database;
  auto status = open(folder, database);
  if (!status.ok()) return status;
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  std::unique_ptr<rocksdb::Iterator> at(database.db->NewIterator(options, database.rows));
  for (at->SeekToFirst(); at->Valid(); at->Next()) {
    if (at->key().empty()) continue;  // servers leave one behind in empty writes
    Row row;
    if (!split(at->key().ToStringView(), at->value().ToStringView(), database.data_version, row))
      return rocksdb::Status::Corruption("no row of Pegasus: key", at->key().ToString(true));
    if (row.expired(arguments.now)) continue;
    add_to(totals, row, arguments.digest);
    if (!arguments.count && !arguments.digest) lines.push_back(line_of(row, arguments.hash_only));
  }
  return at->status();
}

bool read_folder(const Arguments& arguments, const std::string& folder, Totals& totals,
                 std::vector<std::string>& lines) {
  rocksdb::Status status;
  for (int tries = 0; tries < kTries; ++tries) {
    Totals here;
    std::vector<std::string> lines_here;
    status = read(arguments, folder, here, lines_here);
    if (!status.ok()) continue;
    totals.rows += here.rows;
    totals.first += here.first;
    totals.second += here.second;
    std::move(lines_here.begin(), lines_here.end(), std::back_inserter(lines));
    return true;
  }
  std::fprintf(stderr, "table_dump: %s: %s\n", folder.c_str(), status.ToString().c_str());
  return false;
}

bool parse(int count, char** words, Arguments& to) {
  for (int i = 1; i < count; ++i) {
    std::string_view word = words[i];
    if (word == "--count") {
      to.count = true;
    } else if (word == "--digest") {
      to.digest = true;
    } else if (word == "--hash-only") {
      to.hash_only = true;
    } else if (word == "--now" && i + 1 < count) {
      char* end = nullptr;
      to.now = std::strtoll(words[++i], &end, 10);
      if (*end != '\0') return false;
    } else if (word.starts_with("--")) {
      return false;
    } else {
      to.folders.emplace_back(word);
    }
  }
  return !to.folders.empty();
}

}  // namespace

int main(int count, char** words) {
  Arguments arguments;
  if (!parse(count, words, arguments)) {
    std::fprintf(stderr,
                 "usage: table_dump [--count | --digest] [--hash-only] [--now UNIX_SECONDS] "
                 "FOLDER...\n");
    return 2;
  }
  Totals totals;
  std::vector<std::string> lines;
  for (const auto& folder : arguments.folders)
    if (!read_folder(arguments, folder, totals, lines)) return 1;
  std::sort(lines.begin(), lines.end());
  for (const auto& line : lines) std::printf("%s\n", line.c_str());
  if (arguments.digest)
    std::printf("%llu %016llx%016llx\n", static_cast<unsigned long long>(totals.rows),
                static_cast<unsigned long long>(totals.first),
                static_cast<unsigned long long>(totals.second));
  else if (arguments.count)
    std::printf("%llu\n", static_cast<unsigned long long>(totals.rows));
  return std::fflush(stdout) == 0 ? 0 : 1;
}
