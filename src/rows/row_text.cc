#include "rows/row_text.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "record/key.h"
#include "rows/jsonl.h"
#include "rows/tsv.h"

namespace pegmove::rows {
namespace {

Result<OwnedRow> parse_as(TextFormat format, std::string_view line) {
  switch (format) {
    case TextFormat::kJsonl: return parse_jsonl(line);
    case TextFormat::kTsv: return parse_tsv(line);
  }
  return fail(Code::kInternal, "unknown text format");
}

}  // namespace

Result<TextFormat> parse_text_format(std::string_view text) {
  if (text == "jsonl") return TextFormat::kJsonl;
  if (text == "tsv") return TextFormat::kTsv;
  return fail(Code::kInvalidArgument,
              fmt::format("unknown format \"{}\": use jsonl or tsv", base::printable(text)));
}

void append_row(TextFormat format, const Row& row, std::string& out) {
  switch (format) {
    case TextFormat::kJsonl: return append_jsonl(row, out);
    case TextFormat::kTsv: return append_tsv(row, out);
  }
}

Result<OwnedRow> parse_row(TextFormat format, std::string_view line) {
  auto row = TRY(parse_as(format, line));
  if (row.hash_key.size() <= record::kMaxHashKeySize) return row;
  return fail(Code::kInvalidArgument, fmt::format("hash_key has {} bytes; at most {} are allowed",
                                                  row.hash_key.size(), record::kMaxHashKeySize));
}

}  // namespace pegmove::rows
