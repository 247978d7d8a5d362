// A disk for tests that loses what was not synced: it records what this process does to the files
// of a folder, and computes what a power cut at any moment leaves of them.
//
// Recorded are the writes, truncations and removals of SQLite (through the table of system calls of
// its default VFS, so that all else of the VFS works as in production), every fsync() and
// fdatasync() of this process (the program that links this replaces them; a recorded one does not
// wait for the real disk), and names, by comparing the folder before each of these. Whoever writes
// files by other calls is not recorded: written_as_recorded() finds that.
//
// The model: what was written to a file is durable when the file was synced after it, and a name,
// or its removal, when its folder was. Whatever is not durable may survive a cut or not, each for
// itself and in any order; of a write any of its sectors may. Bytes outside of a write do not
// change.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace pegmove::testing {

// Contents by path below the folder; the path of a folder ends with '/'.
using Files = std::map<std::string, std::string>;

enum class Survivors {
  kNone,         // of what is not durable
  kAll,          // as when only the process is killed
  kSomeWrites,   // by chance, each write as a whole
  kSomeSectors,  // by chance, each sector of 512 bytes of each write
};

// For showing that a test needs the syncs: a disk on which they have no effect.
enum class Syncs { kWork, kOfFoldersOnly, kOfFilesOnly };

struct Cut {
  size_t moment = 0;  // so many events happened before it
  Survivors survivors = Survivors::kNone;
  uint64_t seed = 0;  // of chance
  Syncs syncs = Syncs::kWork;
};

std::string to_string(const Cut& cut);

// One thread at a time uses the files while one of these exists. Several may exist.
class PowerCutDisk {
 public:
  // All that the folder contains now is durable.
  explicit PowerCutDisk(std::string folder);
  ~PowerCutDisk();
  PowerCutDisk(const PowerCutDisk&) = delete;
  PowerCutDisk& operator=(const PowerCutDisk&) = delete;

  // How many events there were until now.
  size_t moments();
  Files after(const Cut& cut) const;
  // True when the recorded contents are those of the real files. Files whose names end with
  // `except` may differ.
  bool written_as_recorded(const std::string& except);

  // What the replaced system calls do. False when the file is not in the folder.
  void note_names();
  bool note_write(int fd, std::string bytes, uint64_t offset);
  bool note_truncate(int fd, uint64_t size);
  bool note_sync(int fd);

 private:
  enum class Kind { kWrite, kTruncate, kSync, kName, kNoName, kSyncFolder };
  struct Event {
    Kind kind;
    size_t file = 0;      // its number; of all but kNoName and kSyncFolder
    uint64_t offset = 0;  // of a write; the new size of a truncation
    std::string bytes{};  // of a write
    std::string path{};   // of kName and kNoName; of the folder of kSyncFolder
  };
  struct State;  // of a replay
  struct Name {
    ino_t inode;
    size_t file;
    bool operator==(const Name&) const = default;
  };
  using Names = std::map<std::string, Name>;  // by path, as in Files

  Names look();
  const Name* find(int fd);
  static bool is_durable_by(const Event& pending, const Event& sync);

  std::string folder_;
  size_t files_ = 0;  // how many were numbered
  Names names_;       // as of the last event
  Names durable_names_;
  std::vector<std::string> durable_contents_;  // by number; those of the beginning
  std::vector<Event> events_;
};

// Replaces the contents of a folder.
void write_files(const Files& files, const std::string& folder);

}  // namespace pegmove::testing
