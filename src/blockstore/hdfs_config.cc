#include "blockstore/hdfs_config.h"

#include <fmt/format.h>

#include <cstdlib>
#include <map>
#include <pugixml.hpp>

#include "base/small_file.h"
#include "base/text.h"
#include "blockstore/environment.h"
#include "blockstore/http.h"

namespace pegmove::blockstore {
namespace {

constexpr const char* kDefaultHttpPort = "9870";
constexpr size_t kMostTokenBytes = 64 << 10;

using Properties = std::map<std::string, std::string>;

Result<void> read_site(const std::string& path, Properties& properties) {
  pugi::xml_document site;
  const auto parsed = site.load_file(path.c_str());
  if (parsed.status == pugi::status_file_not_found) return {};
  if (!parsed)
    return fail(Code::kInvalidArgument,
                fmt::format("{} cannot be read: {}", path, parsed.description()));
  for (const auto& property : site.child("configuration").children("property"))
    properties[property.child_value("name")] = property.child_value("value");
  return {};
}

// The HTTP addresses of a name service, or of a single name node, from the site files.
std::vector<std::string> addresses_in(const Properties& site, const std::string& service) {
  auto value = [&](const std::string& key) {
    const auto found = site.find(key);
    return found == site.end() ? std::string() : found->second;
  };
  const bool https = value("dfs.http.policy") == "HTTPS_ONLY";
  const std::string key = https ? "dfs.namenode.https-address" : "dfs.namenode.http-address";
  std::vector<std::string> keys;
  for (const auto& node : base::split(value("dfs.ha.namenodes." + service), ','))
    keys.push_back(key + "." + service + "." + node);
  if (keys.empty()) keys = {key + "." + service};
  std::vector<std::string> addresses;
  for (const auto& each : keys)
    if (auto address = value(each); !address.empty())
      addresses.push_back((https ? "https://" : "http://") + address);
  return addresses;
}

// "nn:8020" of "hdfs://nn:8020/".
std::string authority_of(std::string_view name_node) {
  if (const auto scheme = name_node.find("://"); scheme != std::string_view::npos)
    name_node.remove_prefix(scheme + 3);
  return std::string(name_node.substr(0, name_node.find('/')));
}

Result<std::vector<std::string>> find_addresses(const HdfsOptions& options,
                                                const std::string& conf_dir) {
  Properties site;
  if (!conf_dir.empty()) {
    TRY(read_site(conf_dir + "/core-site.xml", site));
    TRY(read_site(conf_dir + "/hdfs-site.xml", site));
  }
  auto name_node = options.name_node;
  if (name_node == "default" && site.contains("fs.defaultFS")) name_node = site["fs.defaultFS"];
  const auto authority = authority_of(name_node);
  if (auto found = addresses_in(site, authority); !found.empty()) return found;
  const auto colon = authority.find(':');
  const auto host = authority.substr(0, colon);
  // A name node has a port; a name without port that is in no site file may be a name service.
  if (colon != std::string::npos && !host.empty())
    return std::vector{"http://" + host + ":" + kDefaultHttpPort};
  return fail(
      Code::kInvalidArgument,
      fmt::format(
          "the WebHDFS addresses of the name nodes of '{}' are not known: set HADOOP_CONF_DIR to a "
          "folder whose hdfs-site.xml contains them, or add webhdfs=http://HOST:9870,... to args",
          options.name_node));
}

Result<std::string> read_token(const std::string& path) {
  auto token = TRY(base::read_secret(path, kMostTokenBytes));
  while (token.ends_with('\n') || token.ends_with(' ')) token.pop_back();
  return token;
}

Result<void> take_word(HdfsOptions& options, const std::string& word) {
  const auto equals = word.find('=');
  const auto key = word.substr(0, equals);
  const auto value = equals == std::string::npos ? "" : word.substr(equals + 1);
  if (key == "webhdfs") {
    options.addresses = base::split(value, ',');
    for (auto& address : options.addresses) {
      if (!address.starts_with("http://") && !address.starts_with("https://"))
        return fail(Code::kInvalidArgument,
                    fmt::format("webhdfs={} is not an http:// address", address));
      if (address.contains('@'))
        return fail(Code::kInvalidArgument, "webhdfs= must not contain a password");
      address = host_of(address);
    }
  } else if (key == "user" && !value.empty()) {
    options.user = value;
  } else if (key == "token_file") {
    options.token = TRY(in_context(read_token(value), "token_file"));
  } else if (key == "auth" && value == "kerberos") {
    options.kerberos = true;
  } else if (key == "ca" && !value.empty()) {
    options.ca_file = value;
  } else if (key == "timeout") {
    options.silence_timeout = TRY(parse_silence(value));
  } else {
    return fail(Code::kInvalidArgument,
                fmt::format("'{}' is unknown; after <name_node> [root_path] args may have "
                            "webhdfs=, user=, token_file=, auth=kerberos, ca= and timeout=",
                            key));
  }
  return {};
}

}  // namespace

Result<HdfsOptions> parse_hdfs_args(const std::string& name, const std::vector<std::string>& words,
                                    const std::string& conf_dir) {
  if (words.empty())
    return fail(Code::kInvalidArgument, "args must begin with the name node: hdfs://HOST:PORT/");
  HdfsOptions options{.name = name,
                      .name_node = words[0],
                      .addresses = {},
                      .user = environment("HADOOP_USER_NAME"),
                      .token = environment("PEGMOVE_HDFS_TOKEN")};
  size_t next = 1;
  if (words.size() > 1 && words[1].starts_with('/')) options.root = words[next++];
  for (; next < words.size(); ++next) TRY(take_word(options, words[next]));
  if (options.kerberos && !HttpClient::can_negotiate())
    return fail(Code::kUnsupported, "auth=kerberos: this libcurl was built without Kerberos");
  if (options.addresses.empty()) options.addresses = TRY(find_addresses(options, conf_dir));
  return options;
}

}  // namespace pegmove::blockstore
