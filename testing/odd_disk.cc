// A library that is preloaded into a program (LD_PRELOAD): its file systems then lack what the
// words in PEGMOVE_TEST_ODD_DISK say, as some network and FUSE file systems do.
//   folder-sync   fsync() of a folder: EINVAL
//   locks         fcntl() locks: ENOLCK
//   flock         flock(): ENOLCK
//   links         link(): EPERM
//   shared        mmap() of a file that processes share: ENODEV
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <cstring>

namespace {

bool lacks(const char* what) {
  const char* words = std::getenv("PEGMOVE_TEST_ODD_DISK");
  return words != nullptr && std::strstr(words, what) != nullptr;
}

int refused(int number) {
  errno = number;
  return -1;
}

int control(int fd, int command, void* argument) {
  const bool is_lock = command == F_SETLK || command == F_SETLKW || command == F_GETLK ||
                       command == F_OFD_SETLK || command == F_OFD_SETLKW || command == F_OFD_GETLK;
  if (is_lock && lacks("locks")) return refused(ENOLCK);
  return int(syscall(SYS_fcntl, fd, command, argument));
}

void* map(void* address, size_t size, int protection, int flags, int fd, off_t offset) {
  if (fd >= 0 && (flags & MAP_SHARED) != 0 && lacks("shared")) {
    errno = ENODEV;
    return MAP_FAILED;
  }
  return reinterpret_cast<void*>(syscall(SYS_mmap, address, size, protection, flags, fd, offset));
}

}  // namespace

// They take the place of the C library's.
extern "C" {
[[gnu::visibility("default")]] int fsync(int fd) {
  struct stat found{};
  if (lacks("folder-sync") && fstat(fd, &found) == 0 && S_ISDIR(found.st_mode))
    return refused(EINVAL);
  return int(syscall(SYS_fsync, fd));
}
[[gnu::visibility("default")]] int link(const char* from, const char* to) noexcept {
  if (lacks("links")) return refused(EPERM);
  return int(syscall(SYS_link, from, to));
}
[[gnu::visibility("default")]] int flock(int fd, int operation) noexcept {
  if (lacks("flock")) return refused(ENOLCK);
  return int(syscall(SYS_flock, fd, operation));
}
[[gnu::visibility("default")]] int fcntl(int fd, int command, ...) {
  va_list more;
  va_start(more, command);
  void* argument = va_arg(more, void*);
  va_end(more);
  return control(fd, command, argument);
}
[[gnu::visibility("default")]] int fcntl64(int fd, int command, ...) {
  va_list more;
  va_start(more, command);
  void* argument = va_arg(more, void*);
  va_end(more);
  return control(fd, command, argument);
}
[[gnu::visibility("default")]] void* mmap(void* address, size_t size, int protection, int flags,
                                          int fd, off_t offset) noexcept {
  return map(address, size, protection, flags, fd, offset);
}
[[gnu::visibility("default")]] void* mmap64(void* address, size_t size, int protection, int flags,
                                            int fd, off64_t offset) noexcept {
  return map(address, size, protection, flags, fd, offset);
}
}
