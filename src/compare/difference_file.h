// Lists of differing rows as text: what `pegmove diff` writes and `pegmove repair` reads.
//
// JSON lines: {"kind":"missing","hash_key":"h","sort_key":"s"}. A key that is not text is written
// as base64, under "hash_key_b64" or "sort_key_b64", as in exports.
#pragma once

#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "base/atomic_file.h"
#include "compare/difference.h"

namespace pegmove::compare {

// A line, without its newline.
std::string difference_json(const Difference& difference);
// For people: the kind and both keys; unprintable bytes as \xHH, and long keys shortened.
std::string difference_text(const Difference& difference);
// A line of JSON. Errors: kInvalidArgument, saying what is wrong with it.
Result<Difference> parse_difference(std::string_view line);

// Writes a text to stdout or to an AtomicFile (base/atomic_file.h). Blocks while a line is written.
class TextOutput {
 public:
  // "" and "-": stdout. Errors: kIo, naming the file.
  static Result<TextOutput> open(const std::string& path);

  // Adds "\n". Errors: kIo.
  Result<void> line(std::string_view text);
  Result<void> flush() { return file_.flush(); }
  // Call once, at the end: without it no file is left. Errors: kIo.
  Result<void> commit() { return file_.commit(); }

 private:
  explicit TextOutput(base::AtomicFile file) : file_(std::move(file)) {}
  base::AtomicFile file_;
};

// Writes differences to the output as they are found.
class DifferenceWriter : public DifferenceSink {
 public:
  DifferenceWriter(TextOutput& output, bool json) : output_(output), json_(json) {}
  Task<> take(Difference difference) override;
  Task<> flush() override;

 private:
  TextOutput& output_;
  bool json_;
};

// Reads a list line by line. Blocks.
class DifferenceReader {
 public:
  static constexpr size_t kMostLineBytes = 32 << 20;

  // Errors: kIo, kNotFound, naming the file.
  static Result<DifferenceReader> open(std::string path);

  // The next difference; nullopt at the end. Empty lines are skipped. Errors: kInvalidArgument,
  // naming file and line: the next call continues after it. kIo.
  Result<std::optional<Difference>> next();
  int64_t line() const { return line_; }

 private:
  struct Closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  DifferenceReader(std::string path, std::FILE* file) : path_(std::move(path)), file_(file) {}
  Result<bool> read_line();

  std::string path_;
  std::unique_ptr<std::FILE, Closer> file_;
  std::string text_;
  bool too_long_ = false;
  int64_t line_ = 0;
};

}  // namespace pegmove::compare
