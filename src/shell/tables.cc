#include "shell/tables.h"
#include "base/json_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace pegmove::shell {
namespace {

constexpr size_t kGap = 2;  // blanks between columns
constexpr size_t kIndent = 4;

std::string json_text(const std::string& text) {
  return base::json_text(nlohmann::json(text), -1, base::NoUtf8::kReplace);
}

void append_padded(const std::string& cell, size_t width, Align align, std::string& out) {
  size_t padding = width - cell.size();
  if (align == Align::kRight) out.append(padding, ' ');
  out += cell;
  if (align == Align::kLeft) out.append(padding, ' ');
}

}  // namespace

// Writes objects in objects of texts, pretty. nlohmann's own objects cannot hold one key twice.
class JsonWriter {
 public:
  void begin_object() {
    out_ += '{';
    is_empty_ = true;
    ++depth_;
  }
  void end_object() {
    --depth_;
    if (!is_empty_) new_line();
    out_ += '}';
    is_empty_ = false;
  }
  void begin_member_object(const std::string& name) {
    key(name);
    begin_object();
  }
  void member(const std::string& name, const std::string& value) {
    key(name);
    out_ += json_text(value);
  }
  std::string take() && { return std::move(out_); }

 private:
  void key(const std::string& name) {
    if (!is_empty_) out_ += ',';
    new_line();
    is_empty_ = false;
    out_ += json_text(name) + ": ";
  }
  void new_line() {
    out_ += '\n';
    out_.append(depth_ * kIndent, ' ');
  }

  std::string out_;
  size_t depth_ = 0;
  bool is_empty_ = true;  // nothing stands in the current object yet
};

std::string format_double(double value, int decimals) {
  if (std::abs(value) < 1e-6) return "0.00";
  char text[512];  // the largest double has 309 digits before the point
  decimals = std::clamp(decimals, 0, 100);
  auto end = std::to_chars(text, std::end(text), value, std::chars_format::fixed, decimals).ptr;
  return {text, end};
}

Table Table::with_columns(std::string name, std::vector<Column> columns) {
  Table table(std::move(name));
  table.columns_ = std::move(columns);
  auto& heading = table.rows_.emplace_back();
  for (const auto& column : table.columns_) heading.push_back(column.name);
  return table;
}

Table Table::with_values(std::string name) { return Table(std::move(name)); }

void Table::add_row(std::vector<std::string> cells) {
  if (!has_columns() || cells.size() != columns_.size())
    throw std::logic_error(fmt::format("table {}: a row does not fit its columns", name_));
  rows_.push_back(std::move(cells));
}

void Table::add_value(std::string key, std::string value) {
  if (has_columns()) throw std::logic_error(fmt::format("table {} has columns, not values", name_));
  rows_.push_back({std::move(key), std::move(value)});
}

std::string Table::to_text() const {
  if (rows_.empty()) return {};
  std::vector<size_t> widths(rows_.front().size());
  for (const auto& row : rows_)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  if (!name_.empty()) text += "[" + name_ + "]\n";
  for (const auto& row : rows_) {
    if (has_columns()) {
      for (size_t i = 0; i < row.size(); ++i)
        append_padded(row[i], widths[i] + kGap, columns_[i].align, text);
    } else {
      append_padded(row[0], widths[0] + kGap, Align::kLeft, text);
      text += ": ";
      append_padded(row[1], widths[1], Align::kLeft, text);
    }
    text += '\n';
  }
  return text;
}

void Table::write_json(JsonWriter& json) const {
  if (rows_.empty()) return;
  if (!name_.empty()) json.begin_member_object(name_);
  if (has_columns()) {
    for (size_t row = 1; row < rows_.size(); ++row) {
      json.begin_member_object(rows_[row][0]);
      for (size_t i = 0; i < columns_.size(); ++i) json.member(rows_[0][i], rows_[row][i]);
      json.end_object();
    }
  } else {
    for (const auto& row : rows_) json.member(row[0], row[1]);
  }
  if (!name_.empty()) json.end_object();
}

std::string Table::to_json() const {
  JsonWriter json;
  json.begin_object();
  write_json(json);
  json.end_object();
  return std::move(json).take() + '\n';
}

std::string TableSet::to_text() const {
  std::string text;
  for (const auto& table : tables_) text += table.to_text() + '\n';
  return text;
}

std::string TableSet::to_json() const {
  JsonWriter json;
  json.begin_object();
  for (const auto& table : tables_) table.write_json(json);
  json.end_object();
  return std::move(json).take() + '\n';
}

}  // namespace pegmove::shell
