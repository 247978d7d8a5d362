#include "base/json_text.h"

#include <nlohmann/json.hpp>

namespace pegmove::base {

template <typename Json>
Json parse_json(std::string_view text) {
  return Json::parse(text, nullptr, /*allow_exceptions=*/false);
}

template <typename Json>
std::string json_text(const Json& json, int indent, NoUtf8 no_utf8) {
  using Handler = Json::error_handler_t;
  return json.dump(indent, ' ', /*ensure_ascii=*/false,
                   no_utf8 == NoUtf8::kReplace ? Handler::replace : Handler::strict);
}

template nlohmann::json parse_json(std::string_view);
template nlohmann::ordered_json parse_json(std::string_view);
template std::string json_text(const nlohmann::json&, int, NoUtf8);
template std::string json_text(const nlohmann::ordered_json&, int, NoUtf8);

}  // namespace pegmove::base
