// The compact JSON of Pegasus's table printer (src/utils/output_utils.cpp): the answer of most HTTP
// handlers. All values are strings.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pegmove::service {

// {"table":{"row":{"column":"value"}},"other":{"key":"value"}}. A repeated name is written twice,
// as in Pegasus; bytes that are not UTF-8 are replaced.
class TableJson {
 public:
  // Until end_table() values and rows are added to the table, otherwise to the outermost object.
  TableJson& begin_table(std::string_view name);
  TableJson& end_table();
  TableJson& value(std::string_view key, std::string_view value);
  TableJson& value(std::string_view key, int64_t value);
  // A row of a table with columns; the first cell names the row. Precondition: as many cells as
  // columns.
  TableJson& row(const std::vector<std::string_view>& columns,
                 const std::vector<std::string>& cells);

  std::string take() &&;

 private:
  void key(std::string_view name);

  std::string out_ = "{";
  bool is_empty_ = true;  // the current object
};

}  // namespace pegmove::service
