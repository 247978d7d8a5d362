// Named settings of a server, as tools show and change them: Pegasus's flags (src/utils/flags.cpp).
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/error_code.h"

namespace pegmove::service {

enum class SettingType { kBool, kInt32, kUint32, kInt64, kUint64, kDouble, kString };

struct SettingInfo {
  std::string section = {};  // of Pegasus's ini: "replication"
  std::string name = {};
  SettingType type = SettingType::kInt32;
  std::string value = {};  // initial; for numbers decimal, for booleans true or false
  std::string description = {};
  bool is_mutable = false;
  // Checks a new number or boolean (0 and 1); absent = anything that fits the type.
  std::function<bool(double)> is_acceptable = {};
  // Called with each new value, one at a time; must not use the settings.
  std::function<void(double)> on_change = {};
};

// Why a setting was not changed.
struct SettingRefusal {
  wire::ErrorCode error = wire::ErrorCode::kOk;
  std::string reason;

  // As Pegasus describes errors: "ERR_INVALID_PARAMETERS: x is not mutable".
  std::string description() const;
};

// Safe from any thread. Define everything first; nothing is ever removed.
class Settings {
 public:
  // Throws std::logic_error when the name is taken or the value does not fit: a bug of the caller.
  void define(SettingInfo setting);

  // What operators may do (/updateConfig). The texts are Pegasus's.
  std::optional<SettingRefusal> update(const std::string& name, std::string_view value);
  // For servers themselves (remote commands): also settings that are not mutable. False when the
  // value does not fit or is not acceptable. Precondition: the name exists.
  bool set(const std::string& name, std::string_view value);

  bool has(const std::string& name) const;
  // Preconditions: the name exists and has such a type. Others throw std::logic_error.
  std::string text(const std::string& name) const;
  int64_t integer(const std::string& name) const;
  bool boolean(const std::string& name) const;

  // {"name":...,"section":...,"type":"FV_INT32","tags":...,"description":...,"value":...}; nothing
  // when there is no such setting.
  std::optional<std::string> to_json(const std::string& name) const;
  // All of them, by name.
  std::string to_json() const;
  // A section of the ini without settings, such as a list of names: shown only by to_ini().
  void add_section(const std::string& name, const std::map<std::string, std::string>& values);
  // As ini text.
  std::string to_ini() const;

 private:
  const SettingInfo& find_locked(const std::string& name) const;

  mutable std::mutex mutex_;
  std::map<std::string, SettingInfo> settings_;
  std::map<std::string, std::string> sections_;  // of add_section(): name and lines
};

// Booleans as Pegasus reads them: true and false, in any case.
std::optional<bool> parse_boolean(std::string_view text);

}  // namespace pegmove::service
