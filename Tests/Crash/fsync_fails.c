/* Preloaded into the server by test_disk.py: while the file that SHIPLOG_TEST_FSYNC names exists, syncing a file whose
   path ends with SHIPLOG_TEST_FSYNC_OF fails as a dying disk fails. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fails(int file) {
    const char *switch_file = getenv("SHIPLOG_TEST_FSYNC"), *end = getenv("SHIPLOG_TEST_FSYNC_OF");
    char link[64], path[4096];
    if (!switch_file || !end || access(switch_file, F_OK) != 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0 || (size_t)length < strlen(end)) return 0;
    path[length] = 0;
    return strcmp(path + length - strlen(end), end) == 0;
}

int fsync(int file) {
    static int (*next)(int);
    if (!next) next = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    if (!fails(file)) return next(file);
    errno = EIO;
    return -1;
}

int fdatasync(int file) {
    static int (*next)(int);
    if (!next) next = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    if (!fails(file)) return next(file);
    errno = EIO;
    return -1;
}
