// A text file (JSONL or TSV, rows/row_text.h) as a source and as a sink of rows.
#pragma once

#include <cstdio>

#include "async/pool.h"
#include "rows/pump.h"
#include "rows/row_text.h"

namespace pegmove::rows {

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

// "-" is standard input, which is kept in an unnamed temporary file, so that it can be read twice.
// Errors: kNotFound, kIo, naming the path.
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
  std::unique_ptr<Lane> open_lane(int index) override;

 private:
  File file_;
  std::string path_;
  TextFormat format_;
  async::Pool& pool_;
};

// Writes rows as they come, from all lanes in any order. Finish with close().
class FileSink : public RowSink {
 public:
  // "-" is standard output. Errors: kIo, naming the path.
  static Result<std::unique_ptr<FileSink>> open(std::string path, TextFormat format,
                                                async::Pool& pool);
  FileSink(File file, std::string path, TextFormat format, async::Pool& pool);

  Task<> write(const RowBatch& batch) override;
  // Errors: kIo when something could not be written, e.g. because the disk is full.
  Result<void> close();

 private:
  File file_;
  std::string path_;
  TextFormat format_;
  async::Pool& pool_;
  async::Semaphore one_writer_{1};
};

}  // namespace pegmove::rows
