#include "service/table_json.h"
#include "base/json_text.h"

#include <nlohmann/json.hpp>

namespace pegmove::service {
namespace {

std::string quoted(std::string_view text) {
  return base::json_text(nlohmann::json(text), -1, base::NoUtf8::kReplace);
}

}  // namespace

void TableJson::key(std::string_view name) {
  if (!is_empty_) out_ += ',';
  is_empty_ = false;
  out_ += quoted(name) + ":";
}

TableJson& TableJson::begin_table(std::string_view name) {
  key(name);
  out_ += '{';
  is_empty_ = true;
  return *this;
}

TableJson& TableJson::end_table() {
  out_ += '}';
  is_empty_ = false;
  return *this;
}

TableJson& TableJson::value(std::string_view key, std::string_view value) {
  this->key(key);
  out_ += quoted(value);
  return *this;
}

TableJson& TableJson::value(std::string_view key, int64_t value) {
  return this->value(key, std::to_string(value));
}

TableJson& TableJson::row(const std::vector<std::string_view>& columns,
                          const std::vector<std::string>& cells) {
  begin_table(cells.front());
  for (size_t i = 0; i < columns.size(); ++i) value(columns[i], cells[i]);
  return end_table();
}

std::string TableJson::take() && { return std::move(out_) + "}"; }

}  // namespace pegmove::service
