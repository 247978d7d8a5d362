// A disk for tests of the meta server's store: it counts syncs, fails on request, and computes what
// a power cut would leave on it.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "server/meta/store/meta_files.h"

namespace pegmove::server::meta {

// Used by one thread at a time; its counters by any.
class SimDisk {
 public:
  SimDisk() = default;
  // With one file.
  SimDisk(const std::string& path, const std::string& bytes) {
    names_[path] = std::make_shared<Content>(Content{bytes, bytes.size()});
    synced_names_ = names_;
  }

  std::atomic<int> syncs = 0;           // of files, and of folders
  std::atomic<bool> fails = false;      // each write, sync and rename
  std::function<void()> on_write = {};  // at each moment between two steps of a write

  // The file as programs see it; empty when there is none.
  std::string read(const std::string& path) const {
    const auto found = names_.find(path);
    return found == names_.end() ? "" : found->second->bytes;
  }

  // What a power cut may leave now of a file: of unsynced data any prefix, zeros instead of it, or
  // only its second half. Nothing: there is no such file.
  std::set<std::optional<std::string>> after_power_cut(const std::string& path) const {
    std::set<std::optional<std::string>> states;
    for (const auto* names : {&synced_names_, &names_}) {
      if (const auto found = names->find(path); found != names->end())
        add_states_of(*found->second, states);
      else
        states.insert(std::nullopt);
    }
    return states;
  }

  std::unique_ptr<MetaFiles> files() { return std::make_unique<Access>(*this); }

 private:
  struct Content {
    std::string bytes;
    size_t synced = 0;
  };
  using Names = std::map<std::string, std::shared_ptr<Content>>;  // shared with open files

  static void add_states_of(const Content& content, std::set<std::optional<std::string>>& states) {
    for (size_t size = content.synced; size <= content.bytes.size(); ++size)
      states.insert(content.bytes.substr(0, size));
    auto holed = content.bytes;
    const auto begin = holed.begin() + ptrdiff_t(content.synced);
    const auto unsynced = holed.end() - begin;
    std::fill_n(begin, unsynced / 2, '\0');
    states.insert(holed);
    std::fill_n(begin, unsynced, '\0');
    states.insert(holed);
  }

  Result<void> step() {
    if (on_write) on_write();
    if (fails) return fail(Code::kIo, "the disk fails");
    return {};
  }

  class OpenFile : public MetaFiles::File {
   public:
    OpenFile(SimDisk& disk, std::shared_ptr<Content> content)
        : disk_(disk), content_(std::move(content)) {}
    // A failed write has written a part.
    Result<void> append(std::string_view bytes) override {
      content_->bytes += disk_.fails ? bytes.substr(0, bytes.size() / 2) : bytes;
      return disk_.step();
    }
    Result<void> sync() override {
      TRY(disk_.step());
      ++disk_.syncs;
      content_->synced = content_->bytes.size();
      return disk_.step();
    }

   private:
    SimDisk& disk_;
    std::shared_ptr<Content> content_;
  };

  class Access : public MetaFiles {
   public:
    explicit Access(SimDisk& disk) : disk_(disk) {}
    Result<std::optional<std::string>> read(const std::string& path, size_t) override {
      if (!disk_.names_.contains(path)) return std::nullopt;
      return disk_.read(path);
    }
    Result<std::unique_ptr<File>> create(const std::string& path) override {
      TRY(disk_.step());
      auto content = std::make_shared<Content>();
      disk_.names_[path] = content;
      return std::make_unique<OpenFile>(disk_, std::move(content));
    }
    Result<void> rename(const std::string& from, const std::string& to) override {
      TRY(disk_.step());
      disk_.names_[to] = disk_.names_.extract(from).mapped();
      TRY(disk_.step());
      ++disk_.syncs;
      disk_.synced_names_ = disk_.names_;
      return disk_.step();
    }

   private:
    SimDisk& disk_;
  };

  Names names_, synced_names_;
};

}  // namespace pegmove::server::meta
