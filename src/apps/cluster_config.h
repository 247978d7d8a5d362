// Configuration: an INI file as Pegasus's tools read it. Only apps/ reads configuration.
#pragma once

#include <map>
#include <string>

#include "base/ini.h"
#include "blockstore/provider.h"
#include "net/address.h"
#include "shell/session.h"

namespace pegmove::apps {

// All values of a file by section and key. Errors: kNotFound, kInvalidArgument naming file and
// line.
using base::IniSections;
Result<IniSections> read_ini(const std::string& path);

// The section [duplication-group] of a cluster's own configuration, "name = id" of every cluster of
// the group; empty without one. Errors: kInvalidArgument: an id outside of 1 to 127, one that two
// clusters have, or a group without `own_name`.
Result<std::map<std::string, uint8_t>> duplication_group(const IniSections& sections,
                                                         const std::string& own_name);

// The section [pegasus.clusters] of a cluster's own configuration, "name = host:port,host:port":
// the clusters to which it may duplicate tables; empty without one. Errors: kInvalidArgument,
// naming the cluster: no or malformed addresses.
Result<std::map<std::string, std::vector<net::HostPort>>> remote_clusters(
    const IniSections& sections);

// The sections [block_service.NAME] with type and args. Errors: kInvalidArgument: a section without
// a type, or what open_store() says of it.
Result<blockstore::Providers> block_services(const IniSections& sections);

// Names of clusters and their meta servers: section [pegasus.clusters], "name =
// host:port,host:port".
class ClusterConfig : public shell::ClusterDirectory {
 public:
  // Looks for the file: `path` if given, else $PEGMOVE_CONFIG, ./config.ini,
  // ~/.config/pegmove/config.ini. It is no error when none exists, or when those folders may not be
  // read: addresses still work. Errors:
  // kNotFound when the file that `path` or the variable names does not exist; those of read_ini.
  static Result<ClusterConfig> load(const std::string& path);

  // The meta servers of a name in the file, or of "host:port,...".
  // Errors: kInvalidArgument: an unknown name (the message lists the known ones) or a malformed
  // address.
  Result<std::vector<net::HostPort>> metas_of(std::string_view name) const override;

  // The same as "host:port,...", which does not depend on the configuration file.
  Result<std::string> metas_text(std::string_view name) const;

  const std::string& path() const { return path_; }
  const IniSections& sections() const { return sections_; }

 private:
  std::string path_;    // empty: no file
  std::string unseen_;  // places where there might be one
  IniSections sections_;
};

}  // namespace pegmove::apps
