#include "compare/difference_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "record/key.h"

namespace pegmove::compare {
namespace {

using Json = nlohmann::ordered_json;

void put_bytes(Json& to, const std::string& name, const std::string& bytes) {
  if (base::is_utf8(bytes))
    to[name] = bytes;
  else
    to[name + "_b64"] = base::to_base64(bytes);
}

Result<std::string> get_bytes(const Json& from, const std::string& name) {
  const auto plain = from.find(name), coded = from.find(name + "_b64");
  if ((plain == from.end()) == (coded == from.end()))
    return fail(Code::kInvalidArgument, "one of " + name + " and " + name + "_b64 must be there");
  const auto& text = plain != from.end() ? *plain : *coded;
  if (!text.is_string()) return fail(Code::kInvalidArgument, name + " is no string");
  if (plain != from.end()) return text.get<std::string>();
  return in_context(base::from_base64(text.get_ref<const std::string&>()), name + "_b64");
}

}  // namespace

std::string difference_json(const Difference& difference) {
  Json line{{"kind", to_string(difference.kind)}};
  put_bytes(line, "hash_key", difference.hash_key);
  put_bytes(line, "sort_key", difference.sort_key);
  return line.dump();
}

std::string difference_text(const Difference& difference) {
  std::string kind(to_string(difference.kind));
  kind.resize(8, ' ');
  return kind + " \"" + base::printable(difference.hash_key) + "\" : \"" +
         base::printable(difference.sort_key) + "\"";
}

Result<Difference> parse_difference(std::string_view line) {
  const auto json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object())
    return fail(Code::kInvalidArgument,
                "no JSON object; `pegmove diff --json --output FILE` writes such a list");
  for (const auto& [name, value] : json.items())
    if (name != "kind" && name != "hash_key" && name != "hash_key_b64" && name != "sort_key" &&
        name != "sort_key_b64")
      return fail(Code::kInvalidArgument, "\"" + base::printable(name) + "\" is not known");
  const auto kind = json.find("kind");
  if (kind == json.end() || !kind->is_string())
    return fail(Code::kInvalidArgument, "kind is missing or no string");
  Difference difference{.kind = TRY(parse_difference_kind(kind->get_ref<const std::string&>())),
                        .hash_key = TRY(get_bytes(json, "hash_key")),
                        .sort_key = TRY(get_bytes(json, "sort_key"))};
  TRY(record::check_hash_key(difference.hash_key));
  return difference;
}

void TextOutput::Closer::operator()(std::FILE* file) const {
  if (file != stdout) std::fclose(file);
}

TextOutput::TextOutput(std::string path, std::string staging, std::FILE* file)
    : path_(std::move(path)), staging_(std::move(staging)), file_(file) {}

TextOutput::~TextOutput() {
  if (file_ && !staging_.empty()) unlink(staging_.c_str());
}

Result<TextOutput> TextOutput::open(std::string path) {
  if (path.empty() || path == "-") return TextOutput("stdout", "", stdout);
  // A pipe or a device is written as it is: a file in its place would not do.
  std::error_code no_such_file;
  const auto status = std::filesystem::status(path, no_such_file);
  if (std::filesystem::is_other(status)) {
    auto* file = std::fopen(path.c_str(), "we");
    if (!file) return fail(Code::kIo, "writing " + path + ": " + std::strerror(errno));
    return TextOutput(std::move(path), "", file);
  }
  if (std::filesystem::is_directory(status))
    return fail(Code::kIo, "writing " + path + ": it is a folder");
  std::string staging = path + ".new.XXXXXX";
  const int fd = mkostemp(staging.data(), O_CLOEXEC);
  if (fd < 0) return fail(Code::kIo, "writing " + path + ": " + std::strerror(errno));
  const auto mask = umask(0);
  umask(mask);
  fchmod(fd, 0666 & ~mask);  // as any file that a program makes
  return TextOutput(std::move(path), std::move(staging), fdopen(fd, "w"));
}

std::unexpected<Error> TextOutput::error(std::string_view doing) const {
  return fail(Code::kIo, std::string(doing) + " " + path_ + ": " + std::strerror(errno));
}

Result<void> TextOutput::line(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size() ||
      std::fputc('\n', file_.get()) == EOF)
    return error("writing");
  return {};
}

Result<void> TextOutput::flush() {
  if (std::fflush(file_.get()) != 0) return error("writing");
  return {};
}

Result<void> TextOutput::commit() {
  TRY(flush());
  if (staging_.empty()) return {};
  if (fsync(fileno(file_.get())) != 0) return error("writing");
  if (std::rename(staging_.c_str(), path_.c_str()) != 0) return error("naming");
  staging_.clear();
  return {};
}

Task<> DifferenceWriter::take(Difference difference) {
  co_return output_.line(json_ ? difference_json(difference) : difference_text(difference));
}

Task<> DifferenceWriter::flush() { co_return output_.flush(); }

Result<DifferenceReader> DifferenceReader::open(std::string path) {
  auto* file = std::fopen(path.c_str(), "re");
  if (!file)
    return fail(errno == ENOENT ? Code::kNotFound : Code::kIo,
                "reading " + path + ": " + std::strerror(errno));
  return DifferenceReader(std::move(path), file);
}

// False at the end. Of a line that is too long nothing is kept.
Result<bool> DifferenceReader::read_line() {
  text_.clear();
  too_long_ = false;
  int byte = 0;
  while ((byte = std::getc(file_.get())) != EOF && byte != '\n') {
    if (text_.size() < kMostLineBytes)
      text_.push_back(char(byte));
    else
      too_long_ = true;
  }
  if (std::ferror(file_.get()))
    return fail(Code::kIo, "reading " + path_ + ": " + std::strerror(errno));
  if (byte == EOF && text_.empty()) return false;
  ++line_;
  if (text_.ends_with('\r')) text_.pop_back();
  return true;
}

Result<std::optional<Difference>> DifferenceReader::next() {
  while (TRY(read_line())) {
    const auto place = path_ + " line " + std::to_string(line_);
    if (too_long_)
      return fail(Code::kInvalidArgument,
                  place + ": longer than " + std::to_string(kMostLineBytes) + " bytes");
    if (text_.empty()) continue;
    return TRY(in_context(parse_difference(text_), place));
  }
  return std::nullopt;
}

}  // namespace pegmove::compare
