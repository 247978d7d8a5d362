// A text file (JSONL or TSV, rows/row_text.h) as a source and as a sink of rows.
#pragma once

#include <cstdio>

#include "async/pool.h"
#include "rows/pump.h"
#include "rows/row_text.h"

namespace pegmove::rows {

// Closes a file, or leaves it open (standard output).
struct FileCloser {
  FileCloser(int (*close)(std::FILE*) = std::fclose) : close(close) {}
  void operator()(std::FILE* file) const { close(file); }
  int (*close)(std::FILE*);
};
using File = std::unique_ptr<std::FILE, FileCloser>;

// "-" is standard input. It and pipes are kept in an unnamed temporary file, so that they can be
// read twice. Errors: kNotFound, kIo, naming the path.
Result<File> open_input(const std::string& path);

// Reads all lines and checks each, so that a bad one is found before anything is written. Returns
// how many rows there are. Leaves the file at its beginning. Blocks.
// Errors: kInvalidArgument, naming the path and the line.
Result<int64_t> check_rows(std::FILE* file, const std::string& path, TextFormat format);

// One lane: a line is a row, empty lines are skipped.
class FileSource : public RowSource {
 public:
  FileSource(File file, std::string path, TextFormat format, async::Pool& pool);
  int lanes() const override { return 1; }
  std::unique_ptr<Lane> open_lane(int index, std::string after) override;

 private:
  File file_;
  std::string path_;
  TextFormat format_;
  async::Pool& pool_;
};

// Writes rows as they come, from all lanes in any order. Finish with close().
class FileSink : public RowSink {
 public:
  // "-" is standard output. Any other file gets its name in close() only: until then it is
  // PATH.part, and goes with the sink. Errors: kIo, naming the path.
  static Result<std::unique_ptr<FileSink>> open(std::string path, TextFormat format,
                                                async::Pool& pool);
  FileSink(File file, std::string path, std::string part_path, TextFormat format,
           async::Pool& pool);
  ~FileSink() override;

  Task<WriteCounts> write(const RowBatch& batch) override;
  // The end; nothing may be written after it. Errors: kIo when something could not be written, e.g.
  // because the disk is full.
  Result<void> close();

 private:
  File file_;
  std::string path_;
  std::string part_path_;  // empty: it has its name already
  TextFormat format_;
  async::Pool& pool_;
  async::Semaphore one_writer_{1};
};

}  // namespace pegmove::rows
