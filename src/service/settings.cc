#include "service/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "service/table_json.h"

namespace pegmove::service {
namespace {

std::string_view type_name(SettingType type) {
  switch (type) {
    case SettingType::kBool: return "FV_BOOL";
    case SettingType::kInt32: return "FV_INT32";
    case SettingType::kUint32: return "FV_UINT32";
    case SettingType::kInt64: return "FV_INT64";
    case SettingType::kUint64: return "FV_UINT64";
    case SettingType::kDouble: return "FV_DOUBLE";
    case SettingType::kString: return "FV_STRING";
  }
  return "";
}

struct Parsed {
  std::string text;  // as shown
  double number = 0;
};

template <typename Number>
std::optional<Parsed> parse_number(std::string_view text) {
  Number number = {};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(double(number)))
    return std::nullopt;
  return Parsed{std::to_string(number), double(number)};
}

// Nothing when the text does not fit the type.
std::optional<Parsed> parse(SettingType type, std::string_view text) {
  switch (type) {
    case SettingType::kInt32: return parse_number<int32_t>(text);
    case SettingType::kUint32: return parse_number<uint32_t>(text);
    case SettingType::kInt64: return parse_number<int64_t>(text);
    case SettingType::kUint64: return parse_number<uint64_t>(text);
    case SettingType::kDouble: return parse_number<double>(text);
    case SettingType::kString: return Parsed{std::string(text), 0};
    case SettingType::kBool: {
      auto value = parse_boolean(text);
      if (!value) return std::nullopt;
      return Parsed{*value ? "true" : "false", double(*value)};
    }
  }
  return std::nullopt;
}

bool accepts(const SettingInfo& setting, const Parsed& value) {
  return !setting.is_acceptable || setting.is_acceptable(value.number);
}

void add_fields(TableJson& json, const SettingInfo& setting) {
  json.value("name", setting.name)
      .value("section", setting.section)
      .value("type", type_name(setting.type))
      .value("tags", setting.is_mutable ? "flag_tag::FT_MUTABLE" : "")
      .value("description", setting.description)
      .value("value", setting.value);
}

}  // namespace

std::optional<bool> parse_boolean(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
  if (lower == "true") return true;
  if (lower == "false") return false;
  return std::nullopt;
}

std::string SettingRefusal::description() const {
  return fmt::format("{}: {}", wire::error_name(error), reason);
}

void Settings::define(SettingInfo setting) {
  auto value = parse(setting.type, setting.value);
  if (!value)
    throw std::logic_error(fmt::format("setting {} cannot be {}", setting.name, setting.value));
  setting.value = std::move(value->text);
  std::lock_guard lock(mutex_);
  auto name = setting.name;
  if (!settings_.emplace(name, std::move(setting)).second)
    throw std::logic_error(fmt::format("setting {} exists already", name));
}

std::optional<SettingRefusal> Settings::update(const std::string& name, std::string_view value) {
  using wire::ErrorCode;
  std::lock_guard lock(mutex_);
  auto found = settings_.find(name);
  if (found == settings_.end())
    return SettingRefusal{ErrorCode::kObjectNotFound, name + " is not found"};
  auto& setting = found->second;
  auto refuse = [](std::string reason) {
    return SettingRefusal{ErrorCode::kInvalidParameters, std::move(reason)};
  };
  if (!setting.is_mutable) return refuse(name + " is not mutable");
  if (setting.type == SettingType::kString) return refuse("string modifications are not supported");
  auto parsed = parse(setting.type, value);
  if (!parsed) return refuse(std::string(value) + " is invalid");
  if (!accepts(setting, *parsed)) return refuse("value validation failed");
  setting.value = std::move(parsed->text);
  if (setting.on_change) setting.on_change(parsed->number);
  return std::nullopt;
}

bool Settings::set(const std::string& name, std::string_view value) {
  std::lock_guard lock(mutex_);
  auto& setting = settings_.at(name);
  auto parsed = parse(setting.type, value);
  if (!parsed || !accepts(setting, *parsed)) return false;
  setting.value = std::move(parsed->text);
  if (setting.on_change) setting.on_change(parsed->number);
  return true;
}

bool Settings::has(const std::string& name) const {
  std::lock_guard lock(mutex_);
  return settings_.contains(name);
}

const SettingInfo& Settings::find_locked(const std::string& name) const {
  auto found = settings_.find(name);
  if (found == settings_.end()) throw std::logic_error("there is no setting " + name);
  return found->second;
}

std::string Settings::text(const std::string& name) const {
  std::lock_guard lock(mutex_);
  return find_locked(name).value;
}

int64_t Settings::integer(const std::string& name) const {
  auto value = text(name);
  int64_t number = 0;
  auto end = std::from_chars(value.data(), value.data() + value.size(), number).ptr;
  if (end != value.data() + value.size())
    throw std::logic_error(fmt::format("setting {} is not an integer", name));
  return number;
}

bool Settings::boolean(const std::string& name) const { return text(name) == "true"; }

std::optional<std::string> Settings::to_json(const std::string& name) const {
  std::lock_guard lock(mutex_);
  auto found = settings_.find(name);
  if (found == settings_.end()) return std::nullopt;
  TableJson json;
  add_fields(json, found->second);
  return std::move(json).take();
}

std::string Settings::to_json() const {
  std::lock_guard lock(mutex_);
  TableJson json;
  for (const auto& [name, setting] : settings_) {
    json.begin_table(name);
    add_fields(json, setting);
    json.end_table();
  }
  return std::move(json).take();
}

void Settings::add_section(const std::string& name,
                           const std::map<std::string, std::string>& values) {
  std::lock_guard lock(mutex_);
  auto& lines = sections_[name];
  for (const auto& [key, value] : values) lines += "; \n" + key + " = " + value + "\n\n";
}

std::string Settings::to_ini() const {
  std::lock_guard lock(mutex_);
  auto sections = sections_;
  for (const auto& [name, setting] : settings_)
    sections[setting.section] +=
        "; " + setting.description + "\n" + name + " = " + setting.value + "\n\n";
  std::string ini;
  for (const auto& [name, lines] : sections) ini += "[" + name + "]\n" + lines + "\n";
  return ini;
}

}  // namespace pegmove::service
