#include "server/meta/catalog/app_env_update.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "base/bytes.h"
#include "server/meta/catalog/app_env_rules.h"

namespace pegmove::server::meta {
namespace {

using wire::ErrorCode;
using Envs = std::map<std::string, std::string>;

EnvUpdate refusal(ErrorCode code, std::string hint) {
  EnvUpdate update;
  update.response.err.code = code;
  update.response.hint_message = std::move(hint);
  return update;
}

EnvUpdate app_not_found() { return refusal(ErrorCode::kAppNotExist, "app cannot be found"); }

EnvUpdate set_envs(const wire::configuration_update_app_env_request& request, const Envs* envs) {
  if (request.keys.empty() || request.keys.size() != request.values.size()) {
    return refusal(ErrorCode::kInvalidParameters, "");
  }
  for (size_t i = 0; i < request.keys.size(); ++i) {
    if (auto good = check_app_env(request.keys[i], request.values[i]); !good) {
      return refusal(ErrorCode::kInvalidParameters, good.error().message());
    }
  }
  if (!envs) return app_not_found();
  EnvUpdate update{.response = {}, .envs = *envs};
  for (size_t i = 0; i < request.keys.size(); ++i) {
    update.envs->insert_or_assign(request.keys[i], request.values[i]);
  }
  if (auto fits = check_envs_fit(*update.envs); !fits) {
    return refusal(ErrorCode::kInvalidParameters, fits.error().message());
  }
  return update;
}

// A key that is named twice is deleted, and listed, once.
EnvUpdate delete_envs(const std::vector<std::string>& keys, const Envs& envs) {
  EnvUpdate update{.response = {}, .envs = envs};
  std::string hint = "deleted keys:";
  for (const auto& key : keys) {
    if (update.envs->erase(key) > 0) hint += "\n    " + key;
  }
  if (update.envs->size() == envs.size()) {
    return refusal(ErrorCode::kOk, "no key needs to be deleted");
  }
  update.response.hint_message = std::move(hint);
  return update;
}

// With the prefix "a": "a.b" and "a.b.c", not "a", "a." or "ab". An empty prefix means all.
std::vector<std::string> keys_under(const std::string& prefix, const Envs& envs) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : envs) {
    const bool is_under = key.size() > prefix.size() + 1 && key.starts_with(prefix + ".");
    if (prefix.empty() || is_under) keys.push_back(key);
  }
  return keys;
}

}  // namespace

EnvUpdate plan_env_update(const wire::configuration_update_app_env_request& request,
                          const Envs* envs) {
  switch (request.op) {
    case wire::app_env_operation::APP_ENV_OP_SET: return set_envs(request, envs);
    case wire::app_env_operation::APP_ENV_OP_DEL:
      if (request.keys.empty()) return refusal(ErrorCode::kInvalidParameters, "");
      if (!envs) return app_not_found();
      return delete_envs(request.keys, *envs);
    case wire::app_env_operation::APP_ENV_OP_CLEAR:
      if (!request.__isset.clear_prefix) return refusal(ErrorCode::kInvalidParameters, "");
      if (!envs) return app_not_found();
      return delete_envs(keys_under(request.clear_prefix, *envs), *envs);
    default: return refusal(ErrorCode::kInvalidParameters, "");
  }
}

Result<void> check_envs_fit(const Envs& envs) {
  size_t size = 0;
  for (const auto& [key, value] : envs) {
    size += key.size() + value.size();
    if (!base::is_utf8(key) || !base::is_utf8(value)) {
      return fail(Code::kInvalidArgument,
                  fmt::format("app_env '{}' and its value should be UTF-8", base::printable(key)));
    }
  }
  if (size > kMaxEnvsSize) {
    return fail(
        Code::kInvalidArgument,
        fmt::format("the app envs have {} bytes and a table may have {}", size, kMaxEnvsSize));
  }
  return {};
}

}  // namespace pegmove::server::meta
