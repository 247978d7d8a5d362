// The addresses of an HDFS, from a provider's args in Pegasus's form and from Hadoop's own
// configuration.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/result.h"

namespace pegmove::blockstore {

// Options of an HDFS that is accessed through WebHDFS.
struct HdfsOptions {
  std::string name;                    // of the provider
  std::string name_node;               // as configured: "hdfs://nn:8020", "hdfs://ns/"
  std::string root = "/";              // paths are below it
  std::vector<std::string> addresses;  // "http://host:9870": of the name nodes, one of them active
  std::string user = {};               // user.name; "": none is given
  std::string token = {};              // delegation token, instead of the user
  bool kerberos = false;
  std::string ca_file = {};
  std::chrono::seconds silence_timeout{30};  // this long without a byte: kTimeout
};

// `words`: <name_node> [root_path] [webhdfs=URL,URL] [user=NAME] [token_file=FILE] [auth=kerberos]
// [ca=FILE] [timeout=30s]. The first two are Pegasus's (src/block_service/hdfs/hdfs_service.cpp).
// Addresses: webhdfs=, or those of the name service in $HADOOP_CONF_DIR/hdfs-site.xml, or port 9870
// of the name node. User: user=, or $HADOOP_USER_NAME. Token: token_file=, or
// $PEGMOVE_HDFS_TOKEN. `conf_dir`: $HADOOP_CONF_DIR, "" for none.
// Errors: kInvalidArgument, saying what is wrong and what to write.
Result<HdfsOptions> parse_hdfs_args(const std::string& name, const std::vector<std::string>& words,
                                    const std::string& conf_dir);

}  // namespace pegmove::blockstore
