// A library for LD_PRELOAD that makes system calls fail on purpose, in tests.
//
// RSD_FAULTS holds rules, parted by spaces:
//
//   CALLS|PATTERN|FIRST|STEP|FAULT
//
// CALLS are names parted by commas, PATTERN is a glob for the file's path (sockets are
// "socket:[…]"; of a rename either path may match). The rule's calls are counted through the whole
// process, from 1; those of number FIRST, FIRST + STEP, FIRST + 2 STEP, … have the FAULT (STEP 0:
// the one alone; STEP -N: one in N from FIRST on, without a pattern). FAULT is the name of an
// errno, or
//
//   short   half of the bytes are read or written, at least one
//   kill    the process gets SIGKILL before the call
//   tear    the process gets SIGKILL after half of the bytes
//   count   nothing happens
//
// RSD_FAULTS_LOG names a file that gets the number of each rule's calls at the end of the process.
// RSD_CLOCK_JUMPS holds a seed: the wall clock then jumps by up to ten years, forth and back, at
// each look; the monotonic clock goes on as it does.
#include <dlfcn.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace {

enum { kShort = -1, kKill = -2, kTear = -3, kCount = -4, kMaxRules = 16, kMaxText = 256 };

struct Rule {
  char calls[kMaxText];  // with a comma before and after each
  char pattern[kMaxText];
  long first;
  long step;
  int fault;  // an errno, or one of the above
  std::atomic<long> n_calls;
};

Rule rules[kMaxRules];
int n_rules;
std::atomic<unsigned long> clock_state;
bool clock_jumps;

int fault_of(const char* name) {
  static const struct {
    const char* name;
    int fault;
  } kFaults[] = {{"short", kShort},  {"kill", kKill},    {"tear", kTear},    {"count", kCount},
                 {"EINTR", EINTR},   {"EIO", EIO},       {"ENOSPC", ENOSPC}, {"EROFS", EROFS},
                 {"EACCES", EACCES}, {"EDQUOT", EDQUOT}, {"ENOLCK", ENOLCK}, {"EAGAIN", EAGAIN},
                 {"EMFILE", EMFILE}};
  for (size_t i = 0; i < sizeof kFaults / sizeof *kFaults; ++i)
    if (strcmp(name, kFaults[i].name) == 0) return kFaults[i].fault;
  fprintf(stderr, "faults: what is %s?\n", name);
  _exit(99);
}

void add_rule(char* text) {
  char* fields[5];
  char* rest = text;
  for (int i = 0; i < 5; ++i)
    fields[i] = strsep(&rest, "|");
  if (n_rules == kMaxRules || !fields[4]) {
    fprintf(stderr, "faults: a rule has five fields, and there are at most %d\n", kMaxRules);
    _exit(99);
  }
  Rule* rule = &rules[n_rules++];
  snprintf(rule->calls, sizeof rule->calls, ",%s,", fields[0]);
  snprintf(rule->pattern, sizeof rule->pattern, "%s", fields[1]);
  rule->first = atol(fields[2]);
  rule->step = atol(fields[3]);
  rule->fault = fault_of(fields[4]);
}

__attribute__((constructor)) void read_rules(void) {
  const char* text = getenv("RSD_FAULTS");
  char* const copy = strdup(text ? text : "");
  char* rest = copy;
  for (char* rule = strsep(&rest, " "); rule; rule = strsep(&rest, " "))
    if (*rule) add_rule(rule);
  free(copy);
  const char* seed = getenv("RSD_CLOCK_JUMPS");
  clock_jumps = seed != nullptr;
  clock_state = seed ? strtoul(seed, nullptr, 10) : 0;
}

__attribute__((destructor)) void log_counts(void) {
  const char* path = getenv("RSD_FAULTS_LOG");
  if (!path) return;
  FILE* log = fopen(path, "w");
  for (int i = 0; log && i < n_rules; ++i)
    fprintf(log, "%ld\n", rules[i].n_calls.load());
  if (log) fclose(log);
}

unsigned long mixed(unsigned long x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9UL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBUL;
  return x ^ (x >> 31);
}

bool is_due(Rule* rule, const char* call, const char* path, const char* other) {
  char word[64];
  snprintf(word, sizeof word, ",%s,", call);
  if (!strstr(rule->calls, word)) return false;
  if (fnmatch(rule->pattern, path, 0) != 0 && (!other || fnmatch(rule->pattern, other, 0) != 0))
    return false;
  const long number = ++rule->n_calls;
  if (rule->step == 0) return number == rule->first;
  if (rule->step < 0)
    return number >= rule->first &&
           mixed(static_cast<unsigned long>(number)) % static_cast<unsigned long>(-rule->step) == 0;
  return number >= rule->first && (number - rule->first) % rule->step == 0;
}

// The fault of this call; 0: none.
int fault_at(const char* call, const char* path, const char* other) {
  int fault = 0;
  for (int i = 0; i < n_rules; ++i)
    if (is_due(&rules[i], call, path, other) && fault == 0) fault = rules[i].fault;
  if (fault == kKill) kill(getpid(), SIGKILL);
  return fault == kCount ? 0 : fault;
}

int fault_of_file(const char* call, int file) {
  if (n_rules == 0) return 0;
  const int before = errno;
  char link[64];
  char path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  path[length < 0 ? 0 : length] = '\0';
  errno = before;
  return fault_at(call, path, nullptr);
}

// True if the call fails; errno is set then.
bool fails(int fault) {
  if (fault > 0) errno = fault;
  return fault > 0;
}

size_t half(int fault, size_t n_bytes) {
  return fault < 0 && n_bytes > 1 ? n_bytes / 2 : n_bytes;
}

void end_if_torn(int fault) {
  if (fault == kTear) kill(getpid(), SIGKILL);
}

// The function of the C library that this one stands for.
#define NEXT(name) (reinterpret_cast<decltype(&(name))>(dlsym(RTLD_NEXT, #name)))

}  // namespace

// The C library's own names of the parameters begin with underscores.
// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name)

// --- Bytes ---------------------------------------------------------------------------------------

ssize_t read(int file, void* bytes, size_t n_bytes) {
  const int fault = fault_of_file("read", file);
  return fails(fault) ? -1 : NEXT(read)(file, bytes, half(fault, n_bytes));
}

ssize_t pread(int file, void* bytes, size_t n_bytes, off_t place) {
  const int fault = fault_of_file("pread", file);
  return fails(fault) ? -1 : NEXT(pread)(file, bytes, half(fault, n_bytes), place);
}

ssize_t pread64(int file, void* bytes, size_t n_bytes, off64_t place) {
  const int fault = fault_of_file("pread", file);
  return fails(fault) ? -1 : NEXT(pread64)(file, bytes, half(fault, n_bytes), place);
}

ssize_t write(int file, const void* bytes, size_t n_bytes) {
  const int fault = fault_of_file("write", file);
  if (fails(fault)) return -1;
  const ssize_t written = NEXT(write)(file, bytes, half(fault, n_bytes));
  end_if_torn(fault);
  return written;
}

// A short one writes the first part alone.
ssize_t writev(int file, const struct iovec* parts, int n_parts) {
  const int fault = fault_of_file("write", file);
  if (fails(fault)) return -1;
  if (fault == 0 || n_parts == 0) return NEXT(writev)(file, parts, n_parts);
  const ssize_t written = NEXT(write)(file, parts[0].iov_base, half(fault, parts[0].iov_len));
  end_if_torn(fault);
  return written;
}

size_t fwrite(const void* bytes, size_t size, size_t n, FILE* stream) {
  return fails(fault_of_file("fwrite", fileno(stream))) ? 0 : NEXT(fwrite)(bytes, size, n, stream);
}

ssize_t recv(int file, void* bytes, size_t n_bytes, int flags) {
  const int fault = fault_of_file("recv", file);
  return fails(fault) ? -1 : NEXT(recv)(file, bytes, half(fault, n_bytes), flags);
}

ssize_t send(int file, const void* bytes, size_t n_bytes, int flags) {
  const int fault = fault_of_file("send", file);
  return fails(fault) ? -1 : NEXT(send)(file, bytes, half(fault, n_bytes), flags);
}

// Declared here, since GCC holds <poll.h>'s to write the descriptor, which is read.
extern "C" int poll(void* files, unsigned long n_files, int limit_ms) {
  int first = -1;
  if (n_files > 0) memcpy(&first, files, sizeof first);
  return fails(fault_of_file("poll", first)) ? -1 : NEXT(poll)(files, n_files, limit_ms);
}

int accept4(int file, sockaddr* from, socklen_t* length, int flags) {
  return fails(fault_of_file("accept", file)) ? -1 : NEXT(accept4)(file, from, length, flags);
}

// --- Files ---------------------------------------------------------------------------------------

namespace {

// "create" is an open that may write or make the file, "fcreate" an fopen that does.
int fault_of_open(const char* path, int flags) {
  const bool writes = (flags & (O_WRONLY | O_RDWR | O_CREAT)) != 0;
  return fault_at(writes ? "create" : "open", path, nullptr);
}

int fault_of_fopen(const char* path, const char* mode) {
  const bool reads = strcmp(mode, "r") == 0 || strcmp(mode, "rb") == 0;
  return fault_at(reads ? "fopen" : "fcreate", path, nullptr);
}

mode_t mode_in(int flags, va_list arguments) {
  return (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
}

}  // namespace

#define DEFINE_OPEN(name)                             \
  int name(const char* path, int flags, ...) {        \
    va_list arguments;                                \
    va_start(arguments, flags);                       \
    const mode_t mode = mode_in(flags, arguments);    \
    va_end(arguments);                                \
    if (fails(fault_of_open(path, flags))) return -1; \
    return NEXT(name)(path, flags, mode);             \
  }
DEFINE_OPEN(open)
DEFINE_OPEN(open64)

#define DEFINE_FOPEN(name)                                 \
  FILE* name(const char* path, const char* mode) {         \
    if (fails(fault_of_fopen(path, mode))) return nullptr; \
    return NEXT(name)(path, mode);                         \
  }
DEFINE_FOPEN(fopen)
DEFINE_FOPEN(fopen64)

int fsync(int file) {
  return fails(fault_of_file("fsync", file)) ? -1 : NEXT(fsync)(file);
}

int ftruncate(int file, off_t n_bytes) noexcept {
  return fails(fault_of_file("ftruncate", file)) ? -1 : NEXT(ftruncate)(file, n_bytes);
}

int ftruncate64(int file, off64_t n_bytes) noexcept {
  return fails(fault_of_file("ftruncate", file)) ? -1 : NEXT(ftruncate64)(file, n_bytes);
}

int flock(int file, int operation) noexcept {
  return fails(fault_of_file("flock", file)) ? -1 : NEXT(flock)(file, operation);
}

int rename(const char* path, const char* target) noexcept {
  return fails(fault_at("rename", path, target)) ? -1 : NEXT(rename)(path, target);
}

int unlink(const char* path) noexcept {
  return fails(fault_at("unlink", path, nullptr)) ? -1 : NEXT(unlink)(path);
}

int mkdir(const char* path, mode_t mode) noexcept {
  return fails(fault_at("mkdir", path, nullptr)) ? -1 : NEXT(mkdir)(path, mode);
}

// --- The wall clock ------------------------------------------------------------------------------

namespace {

time_t jump() {
  enum { kTenYears = 10 * 365 * 86400 };
  if (!clock_jumps) return 0;
  const unsigned long x = mixed(clock_state.fetch_add(0x9E3779B97F4A7C15UL));
  return static_cast<time_t>(x % (2UL * kTenYears)) - kTenYears;
}

}  // namespace

int clock_gettime(clockid_t clock, timespec* now) noexcept {
  const int result = (int)syscall(SYS_clock_gettime, clock, now);
  if (result == 0 && clock == CLOCK_REALTIME) now->tv_sec += jump();
  return result;
}

int gettimeofday(timeval* now, void* /*zone*/) noexcept {
  timespec precise;
  clock_gettime(CLOCK_REALTIME, &precise);
  now->tv_sec = precise.tv_sec;
  now->tv_usec = precise.tv_nsec / 1000;
  return 0;
}

time_t time(time_t* where) noexcept {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (where) *where = now.tv_sec;
  return now.tv_sec;
}

// NOLINTEND(readability-inconsistent-declaration-parameter-name)
