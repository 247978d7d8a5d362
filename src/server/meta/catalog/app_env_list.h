// What GET /envs/list returns about the app envs. Pegasus: register_all_validators and
// list_all_envs in src/meta/app_env_validator.cpp.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace pegmove::server::meta {

struct AppEnvDescription {
  std::string_view name;
  std::string_view type;
  std::string_view limitation;
  std::string_view sample;
};

std::span<const AppEnvDescription> app_env_descriptions();

// {"name":{"limitation":...,"sample":...,"type":...}}, indented by 2.
std::string app_env_list_json();

}  // namespace pegmove::server::meta
