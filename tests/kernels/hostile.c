/* kernels/c/rope.c with one bad habit, which the environment variable HABIT names. It misbehaves on level rotate alone, and
 * lies about what it is only when it is loaded. COUNT names a file that counts loads. */
#define _GNU_SOURCE
#define ropecheck_describe right_describe
#define ropecheck_open right_open
#define ropecheck_close right_close
#define ropecheck_rotate right_rotate
#include "rope.c"
#undef ropecheck_describe
#undef ropecheck_open
#undef ropecheck_close
#undef ropecheck_rotate

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static int is(const char *habit) {
  const char *wanted = getenv("HABIT");
  return wanted && strcmp(wanted, habit) == 0;
}

static _Noreturn void forever(void) { for (;;) pause(); }

/* How often the library was loaded, this time included. */
static int loads(void) {
  const char *path = getenv("COUNT");
  if (!path) return 0;
  int file = open(path, O_RDWR | O_CREAT | O_APPEND, 0600);
  if (file < 0 || write(file, "x", 1) != 1) return 0;
  int count = (int)lseek(file, 0, SEEK_END);
  close(file);
  return count;
}

static int nth_load;

__attribute__((constructor)) static void loaded(void) {
  nth_load = loads();
  if (is("crash-then-slow-start") && nth_load > 3) forever();
}

__attribute__((destructor)) static void unloaded(void) {
  if (is("destructor-hangs")) forever();
}

const char *ropecheck_describe(void) {
  static char edited[1 << 14];
  const char *text = right_describe();
  if (is("manifest-changes") && nth_load > 2) {
    /* The same, but for one byte. */
    strncpy(edited, text, sizeof edited - 1);
    char *version = strstr(edited, "\"version\":\"1\"");
    if (version) version[strlen("\"version\":\"")] = '2';
    return edited;
  }
  if (is("acting-name")) {
    strncpy(edited, text, sizeof edited - 1);
    const char *name = "\"name\":\"rope.c\"", *other = "\"name\":\"\\u001b[2J\\n\\nCONFORMANT \\u202e\\ufffe\"";
    const char *at = strstr(text, name);
    if (at) snprintf(edited, sizeof edited, "%.*s%s%s", (int)(at - text), text, other, at + strlen(name));
    return edited;
  }
  return text;
}

ropecheck_status ropecheck_open(void **handle, char *message, size_t length) {
  return right_open(handle, message, length);
}

void ropecheck_close(void *handle) {
  if (is("close-crashes")) raise(SIGSEGV);
  right_close(handle);
}

/* Writes to every descriptor that may be the protocol's. */
static void say(const char *line) {
  for (int file = 3; file < 64; file++) (void)!write(file, line, strlen(line));
}

static unsigned hash(const ropecheck_rotate_call *call) {
  unsigned h = (unsigned)(call->qk.batch * 31 + call->qk.tokens * 7 + call->plan.head_dim + call->qk.q_heads * 13);
  return h * 2654435761u >> 24;
}

ropecheck_status ropecheck_rotate(void *handle, const ropecheck_rotate_call *call, char *message, size_t length) {
  static int calls;
  calls++;
  if (is("crash-then-slow-start")) raise(SIGSEGV);
  if (is("answers-flood")) for (;;) say("{\"answer\":{\"id\":1,\"status\":\"ok\"}}\n");
  if (is("answer-twice")) say("{\"answer\":{\"id\":1,\"status\":\"ok\"}}\n");
  if (is("mixed") && hash(call) % 4 == 0) raise(hash(call) % 8 ? SIGSEGV : SIGKILL);
  if (is("fork-stays") || (is("mixed") && hash(call) % 4 == 1)) {
    if (fork() == 0) {
      /* A child that outlives the call, in a session of its own, and writes into whatever comes then. */
      setsid();
      usleep(300000);
      for (int i = 0; i < 200; i++) {
        usleep(1000);
        memset((void *)call->qk.q_out.data, 0x77, 16);
      }
      _exit(0);
    }
  }
  ropecheck_status status = right_rotate(handle, call, message, length);
  if (is("wrong-once") && calls == 40 && nth_load == 2 && call->qk.q_out.dtype == 0 && call->qk.batch * call->qk.tokens > 0)
    ((float *)call->qk.q_out.data)[0] += 1;
  if (is("x87-precision")) {
    unsigned short word = 0x007f;
    __asm__ volatile("fldcw %0" : : "m"(word));
  }
  if (is("prints-and-dies") && calls == 5) {
    fprintf(stderr, "\033[2J\033]0;title\007\nCONFORMANT on all levels\n");
    fflush(stderr);
    raise(SIGSEGV);
  }
  return status;
}
