/* Counts the writes, synchronisations and renames of files below $FAIL_BELOW, and lets number $FAIL_AT fail.
 * Number and name of each go to the file $FAIL_LOG. benchmarks/interruptions.py loads it with LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_int calls;

static int fails(const char *path, const char *what) {
    const char *below = getenv("FAIL_BELOW"), *at = getenv("FAIL_AT"), *log = getenv("FAIL_LOG");
    if (!below || !path || strncmp(path, below, strlen(below)) != 0) return 0;
    int number = atomic_fetch_add(&calls, 1) + 1;
    if (log) {
        int file = open(log, O_WRONLY | O_CREAT | O_APPEND, 0666);
        if (file >= 0) { dprintf(file, "%d %s %s\n", number, what, path); close(file); }
    }
    return at && atoi(at) == number;
}

static int fails_open(int file, const char *what) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return fails(path, what);
}

#define FAILING(name, type, error, check, declared, passed)                     \
    type name declared {                                                        \
        static type (*real) declared;                                           \
        if (!real) *(void **)(&real) = dlsym(RTLD_NEXT, #name);                 \
        if (check) { errno = error; return -1; }                                \
        return real passed;                                                     \
    }

FAILING(pwrite, ssize_t, ENOSPC, fails_open(fd, "pwrite"), (int fd, const void *b, size_t n, off_t o), (fd, b, n, o))
FAILING(pwrite64, ssize_t, ENOSPC, fails_open(fd, "pwrite"), (int fd, const void *b, size_t n, off_t o), (fd, b, n, o))
FAILING(writev, ssize_t, ENOSPC, fails_open(fd, "writev"), (int fd, const struct iovec *v, int n), (fd, v, n))
FAILING(fsync, int, EIO, fails_open(fd, "fsync"), (int fd), (fd))
FAILING(fdatasync, int, EIO, fails_open(fd, "fdatasync"), (int fd), (fd))
FAILING(rename, int, EIO, fails(to, "rename"), (const char *from, const char *to), (from, to))
FAILING(renameat, int, EIO, fails(to, "rename"), (int a, const char *from, int b, const char *to), (a, from, b, to))

ssize_t write(int fd, const void *content, size_t n) {
    static ssize_t (*real)(int, const void *, size_t);
    static _Thread_local int inside; /* dprintf writes, too */
    if (!real) *(void **)(&real) = dlsym(RTLD_NEXT, "write");
    if (!inside) {
        inside = 1;
        int failed = fails_open(fd, "write");
        inside = 0;
        if (failed) { errno = ENOSPC; return -1; }
    }
    return real(fd, content, n);
}
