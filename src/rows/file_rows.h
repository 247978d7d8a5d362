// A text file (JSONL or TSV, rows/row_text.h) as a source and as a sink of rows.
#pragma once

#include <cstdio>

#include "async/pool.h"
#include "base/atomic_file.h"
#include "rows/pump.h"
#include "rows/row_text.h"

namespace pegmove::rows {

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, FileCloser>;

// "-" is standard input. It and pipes are copied to an unnamed temporary file in `spool_folder`, so
// that they can be read twice. Errors: kNotFound, kIo, naming the path, or the folder and TMPDIR.
Result<File> open_input(const std::string& path, const std::string& spool_folder);

// Reads and checks all lines, so that a malformed one is found before anything is written. Returns
// the number of rows. Leaves the file at its beginning. Blocks. A byte order mark at the beginning
// is no part of the first row. Errors: kInvalidArgument, naming the path and the line, and for
// UTF-16.
Result<int64_t> check_rows(std::FILE* file, const std::string& path, TextFormat format);

// One lane: each line is a row; empty lines are skipped.
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

// Writes rows as they arrive, from all lanes in any order. Finish with close().
class FileSink : public RowSink {
 public:
  // "-" is standard output. Any other file is written as an AtomicFile: it gets its name in
  // close(), and without that nothing is left, unless it is written directly. Errors: kIo, naming
  // the path.
  static Result<std::unique_ptr<FileSink>> open(std::string path, TextFormat format,
                                                async::Pool& pool);
  FileSink(base::AtomicFile file, TextFormat format, async::Pool& pool)
      : file_(std::move(file)), format_(format), pool_(pool) {}

  Task<WriteCounts> write(const RowBatch& batch) override;
  // Ends the file; nothing may be written after it. The file is on the disk when this returns
  // (blocks). Errors: kIo when something could not be written, for instance because the disk is
  // full.
  Result<void> close() { return file_.commit(); }
  // What is there when the sink is not closed: false: what was there before; true: a part of the
  // rows (AtomicFile::is_direct()).
  bool leaves_a_part() const { return file_.is_direct(); }

 private:
  base::AtomicFile file_;
  TextFormat format_;
  async::Pool& pool_;
  async::Semaphore one_writer_{1};
};

}  // namespace pegmove::rows
