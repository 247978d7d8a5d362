#include "compare/difference_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/json_fields.h"
#include "base/json_text.h"
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

}  // namespace

std::string difference_json(const Difference& difference) {
  Json line{{"kind", to_string(difference.kind)}};
  put_bytes(line, "hash_key", difference.hash_key);
  put_bytes(line, "sort_key", difference.sort_key);
  return base::json_text(line);
}

std::string difference_text(const Difference& difference) {
  std::string kind(to_string(difference.kind));
  kind.resize(8, ' ');
  return kind + " \"" + base::printable(difference.hash_key) + "\" : \"" +
         base::printable(difference.sort_key) + "\"";
}

Result<Difference> parse_difference(std::string_view line) {
  const auto json = base::parse_json<Json>(line);
  if (!json.is_object())
    return fail(Code::kInvalidArgument,
                "not a JSON object; `pegmove diff --json --output FILE` writes such a list");
  const auto in = TRY(base::OrderedJsonFields::of(json, "a difference", Code::kInvalidArgument));
  TRY(in.only({"kind", "hash_key", "hash_key_b64", "sort_key", "sort_key_b64"}));
  Difference difference{.kind = TRY(parse_difference_kind(TRY(in.text("kind")))),
                        .hash_key = TRY(in.text_or_base64("hash_key")),
                        .sort_key = TRY(in.text_or_base64("sort_key"))};
  TRY(record::check_hash_key(difference.hash_key));
  return difference;
}

Result<TextOutput> TextOutput::open(const std::string& path) {
  const bool is_standard = path.empty() || path == "-";
  return TextOutput(TRY(is_standard ? base::AtomicFile::standard_output()
                                    : base::AtomicFile::create(path, {.may_be_in_place = true})));
}

Result<void> TextOutput::line(std::string_view text) {
  TRY(file_.append(text));
  return file_.append("\n");
}

Task<> DifferenceWriter::take(Difference difference) {
  co_return output_.line(json_ ? difference_json(difference) : difference_text(difference));
}

Task<> DifferenceWriter::flush() { co_return output_.flush(); }

Result<DifferenceReader> DifferenceReader::open(std::string path) {
  auto* file = std::fopen(path.c_str(), "re");
  if (!file)
    return fail(errno == ENOENT ? Code::kNotFound : Code::kIo,
                fmt::format("reading {}: {}", path, std::strerror(errno)));
  return DifferenceReader(std::move(path), file);
}

// Returns false at the end. A line that is too long is dropped.
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
    return fail(Code::kIo, fmt::format("reading {}: {}", path_, std::strerror(errno)));
  if (byte == EOF && text_.empty()) return false;
  ++line_;
  if (text_.ends_with('\r')) text_.pop_back();
  return true;
}

Result<std::optional<Difference>> DifferenceReader::next() {
  while (TRY(read_line())) {
    const auto place = fmt::format("{} line {}", path_, line_);
    if (too_long_)
      return fail(Code::kInvalidArgument,
                  fmt::format("{}: longer than {} bytes", place, kMostLineBytes));
    if (text_.empty()) continue;
    return TRY(in_context(parse_difference(text_), place));
  }
  return std::nullopt;
}

}  // namespace pegmove::compare
