// Rows as lines of text, for `pegmove import` and `pegmove export`.
//
// Both formats preserve every byte string and every expiry exactly: parsing what was appended gives
// the same row. In both, expire_ts is absolute, in Unix seconds; a row without one never expires.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "rows/row.h"

namespace pegmove::rows {

enum class TextFormat {
  kJsonl,  // one JSON object per line, see jsonl.h
  kTsv,    // columns separated by TAB, see tsv.h
};

// "jsonl" or "tsv". Errors: kInvalidArgument, naming the text and the known formats.
Result<TextFormat> parse_text_format(std::string_view text);

// Appends the row as one line, with its "\n" at the end and with no other "\n" in it.
void append_row(TextFormat format, const Row& row, std::string& out);

// Parses one line, given without its "\n"; one "\r" at its end counts as part of the line end.
// Errors: kInvalidArgument, saying what is wrong with this line (also a hash key of more than
// record::kMaxHashKeySize bytes); the caller adds file and line number as context.
Result<OwnedRow> parse_row(TextFormat format, std::string_view line);

}  // namespace pegmove::rows
