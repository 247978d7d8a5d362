// Tables as Pegasus's shell prints them, byte for byte (Pegasus: src/utils/output_utils.h).
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace pegmove::shell {

class JsonWriter;  // in tables.cc

enum class Align { kLeft, kRight };

struct Column {
  std::string name;
  Align align = Align::kLeft;
};

// A number with a fixed count of decimals, as the shell shows doubles; what is nearer to zero than
// 1e-6 is "0.00" whatever the decimals.
std::string format_double(double value, int decimals = 2);

// One table, of one of two kinds. The values of both are texts, in the order of their insertion.
//
// A table with columns; its first cell names the row:
//   [nodes]
//   node             primary  secondary
//   localhost:34801  4        0
// A table of keys and values:
//   [summary]
//   total_app_count  : 4
//
// As text: every cell is padded to the widest of its column (in bytes) and two more, values after
// ": " to the widest value; so lines may end in blanks. As JSON (here without its line breaks):
//   {"nodes":{"localhost:34801":{"node":"localhost:34801","primary":"4","secondary":"0"}}}
//   {"summary":{"total_app_count":"4"}}
// Rows of one name give equal JSON keys, as in the original. A table without a name is printed
// without heading, its JSON members standing in the outer object.
class Table {
 public:
  // `columns` is not empty.
  static Table with_columns(std::string name, std::vector<Column> columns);
  // Printed only once it has a value.
  static Table with_values(std::string name);

  // For a table with columns. Throws std::logic_error when the number of cells is not that of the
  // columns or the table is of the other kind: a defect of the caller.
  void add_row(std::vector<std::string> cells);
  // For a table of keys and values. Throws std::logic_error for the other kind.
  void add_value(std::string key, std::string value);

  // Heading and lines; no blank line after them. Empty when there is nothing to print.
  std::string to_text() const;
  // The table alone in an object, indented by 4, with a line end. Bytes that are no UTF-8 are
  // replaced by U+FFFD. Stays "{}" when there is nothing to print.
  std::string to_json() const;

 private:
  friend class TableSet;
  explicit Table(std::string name) : name_(std::move(name)) {}

  bool has_columns() const { return !columns_.empty(); }
  void write_json(JsonWriter& json) const;

  std::string name_;
  std::vector<Column> columns_;                 // empty = keys and values
  std::vector<std::vector<std::string>> rows_;  // with columns: the first has their names
};

// Several tables, printed together.
class TableSet {
 public:
  void add(Table table) { tables_.push_back(std::move(table)); }

  // Every table, each followed by a blank line (the last one too, and so is an empty one).
  std::string to_text() const;
  // One object with all tables, written as Table does.
  std::string to_json() const;

 private:
  std::vector<Table> tables_;
};

}  // namespace pegmove::shell
