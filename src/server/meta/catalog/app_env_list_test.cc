#include "server/meta/catalog/app_env_list.h"

#include <gtest/gtest.h>

#include "server/meta/catalog/app_env_rules.h"

namespace pegmove::server::meta {
namespace {

TEST(AppEnvList, EverySampleIsAcceptedAndEveryTextRefusedAsToldByItsType) {
  for (const auto& env : app_env_descriptions()) {
    auto checked = check_app_env(env.name, env.sample);
    EXPECT_TRUE(checked) << env.name << ": " << checked.error().message();
    if (env.type == "string") continue;
    EXPECT_FALSE(check_app_env(env.name, "no such value")) << env.name;
    auto refused = check_app_env(env.name, "-2");
    if (env.limitation.empty() || env.type == "bool") continue;
    EXPECT_EQ(refused.error().message(),
              "invalid value '-2', should be '" + std::string(env.limitation) + "'")
        << env.name;
  }
}

TEST(AppEnvList, TellsLimitationSampleAndType) {
  auto json = app_env_list_json();
  EXPECT_NE(json.find("  \"default_ttl\": {\n    \"limitation\": \">= 0\",\n    \"sample\": "
                      "\"86400\",\n    \"type\": \"unsigned int32\"\n  }"),
            std::string::npos);
}

}  // namespace
}  // namespace pegmove::server::meta
