#include "rows/file_rows.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "record/key.h"

namespace pegmove::rows {
namespace {

constexpr size_t kBatchRows = 1000;
constexpr size_t kBatchBytes = 1 << 20;
// A row of Pegasus is at most about 1 MiB; escaped it can be several times as long.
constexpr size_t kLongestLine = 64 << 20;

std::unexpected<Error> io_error(const std::string& what, const char* hint = "") {
  return fail(Code::kIo, fmt::format("{}: {}{}", what, std::strerror(errno), hint));
}

// Reads one line without its newline. Returns false at the end.
Result<bool> read_line(std::FILE* file, std::string& line) {
  line.clear();
  for (int c; (c = getc_unlocked(file)) != EOF;) {
    if (c == '\n') return true;
    if (line.size() >= kLongestLine) return fail(Code::kInvalidArgument, "line longer than 64 MiB");
    line += char(c);
  }
  if (std::ferror(file)) return io_error("reading");
  return !line.empty();
}

// Removes its name at once: it is gone with the process.
File open_unnamed(const std::string& folder) {
  std::string name = folder + "/pegmove-import-XXXXXX";
  const int opened = ::mkostemp(name.data(), O_CLOEXEC);
  if (opened < 0) return nullptr;
  ::unlink(name.c_str());
  return File(::fdopen(opened, "w+"));
}

// Copies all of `from` to an unnamed temporary file, which can be read twice.
Result<File> keep(std::FILE* from, const std::string& name, const std::string& folder) {
  constexpr const char* kHint = "; name another folder with TMPDIR, or give import a file";
  const auto doing = fmt::format("keeping {} in a temporary file in {}", name, folder);
  auto copy = open_unnamed(folder);
  if (!copy) return io_error(doing, kHint);
  std::string block(1 << 20, '\0');
  while (auto size = std::fread(block.data(), 1, block.size(), from))
    if (std::fwrite(block.data(), 1, size, copy.get()) != size) return io_error(doing, kHint);
  if (std::ferror(from)) return io_error("reading " + name);
  if (std::fflush(copy.get()) != 0) return io_error(doing, kHint);
  std::rewind(copy.get());
  return copy;
}

// Text of two bytes a character would be taken as rows of other keys.
bool is_utf16(std::string_view line) {
  return (line.starts_with("\xff\xfe") || line.starts_with("\xfe\xff")) && line.contains('\0');
}

// Reads rows and remembers the line for errors.
class RowReader {
 public:
  RowReader(std::FILE* file, std::string path, TextFormat format)
      : file_(file), path_(std::move(path)), format_(format) {}

  // nullopt at the end.
  Result<std::optional<OwnedRow>> next() {
    while (true) {
      ++line_number_;
      if (!TRY(in_context(read_line(file_, line_), place()))) return std::nullopt;
      auto line = std::string_view(line_);
      if (line_number_ == 1 && is_utf16(line))
        return fail(Error(Code::kInvalidArgument,
                          "this is UTF-16; convert it to UTF-8: iconv -f UTF-16 -t UTF-8")
                        .with_context(place()));
      if (line_number_ == 1) line = base::without_byte_order_mark(line);
      if (line.empty() || line == "\r") continue;
      return TRY(in_context(parse_row(format_, line), place()));
    }
  }

 private:
  std::string place() const {
    return (path_ == "-" ? "standard input" : path_) + " line " + std::to_string(line_number_);
  }

  std::FILE* file_;
  std::string path_;
  TextFormat format_;
  std::string line_;
  int64_t line_number_ = 0;
};

// A batch of parsed rows: one block of memory with every key and value, and views into it.
struct RowBlock {
  struct Place {
    size_t key_size;
    size_t value_size;
    uint32_t expire_ts;
  };
  std::string bytes;
  std::vector<Place> places;

  void add(const OwnedRow& row) {
    auto begin = bytes.size();
    record::append_key(bytes, row.hash_key, row.sort_key);
    auto key_size = bytes.size() - begin;
    bytes += row.value;
    places.push_back({key_size, row.value.size(), row.expire_ts});
  }

  RowBatch finish() && {
    RowBatch batch{SharedBytes::own(std::move(bytes)), {}};
    auto rest = batch.bytes.view;
    for (const auto& place : places) {
      batch.rows.push_back({rest.substr(0, place.key_size),
                            rest.substr(place.key_size, place.value_size), place.expire_ts});
      rest.remove_prefix(place.key_size + place.value_size);
    }
    return batch;
  }
};

class FileLane : public Lane {
 public:
  FileLane(RowReader reader, async::Pool& pool) : reader_(std::move(reader)), pool_(pool) {}

  Task<std::optional<RowBatch>> next() override {
    co_return co_await pool_.run([this] { return read_batch(); });
  }

 private:
  Result<std::optional<RowBatch>> read_batch() {
    RowBlock block;
    while (block.places.size() < kBatchRows && block.bytes.size() < kBatchBytes) {
      auto row = TRY(reader_.next());
      if (!row) break;
      block.add(*row);
    }
    if (block.places.empty()) return std::nullopt;
    return std::move(block).finish();
  }

  RowReader reader_;
  async::Pool& pool_;
};

}  // namespace

Result<File> open_input(const std::string& path, const std::string& spool_folder) {
  if (path == "-") return keep(stdin, "standard input", spool_folder);
  File file(std::fopen(path.c_str(), "r"));
  if (!file)
    return fail(errno == ENOENT ? Code::kNotFound : Code::kIo,
                fmt::format("opening {}: {}", path, std::strerror(errno)));
  // A pipe ("import <(zcat rows.gz)") cannot be rewound.
  if (std::fseek(file.get(), 0, SEEK_CUR) != 0) return keep(file.get(), path, spool_folder);
  return file;
}

Result<int64_t> check_rows(std::FILE* file, const std::string& path, TextFormat format) {
  RowReader reader(file, path, format);
  int64_t rows = 0;
  while (TRY(reader.next())) ++rows;
  std::rewind(file);
  return rows;
}

FileSource::FileSource(File file, std::string path, TextFormat format, async::Pool& pool)
    : file_(std::move(file)), path_(std::move(path)), format_(format), pool_(pool) {}

std::unique_ptr<Lane> FileSource::open_lane(int, std::string) {
  return std::make_unique<FileLane>(RowReader(file_.get(), path_, format_), pool_);
}

Result<std::unique_ptr<FileSink>> FileSink::open(std::string path, TextFormat format,
                                                 async::Pool& pool) {
  auto file = TRY(path == "-" ? base::AtomicFile::standard_output()
                              : base::AtomicFile::create(path, {.may_be_in_place = true}));
  return std::make_unique<FileSink>(std::move(file), format, pool);
}

Task<WriteCounts> FileSink::write(const RowBatch& batch) {
  std::string text;
  for (const auto& row : batch.rows) {
    auto parts = *record::split_key(row.key);
    append_row(format_, {parts.hash_key, parts.sort_key, row.value, row.expire_ts}, text);
  }
  co_await one_writer_.acquire(1);  // no result
  auto written = co_await pool_.run([this, &text] { return file_.append(text); });
  one_writer_.release(1);
  CO_TRY(std::move(written));
  co_return WriteCounts{.written = int64_t(batch.rows.size())};
}

}  // namespace pegmove::rows
