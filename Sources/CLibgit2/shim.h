#pragma once

#include <git2.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

// Swift cannot call variadic C functions, so each option we set has a function of its own.

// libgit2 reads neither the system's nor the user's Git configuration: a mirror behaves the same under any account.
static inline int shiplog_git_no_search_path(int level) {
    return git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, "");
}

// The mirrors are ours; their owner is checked by the data directory's mode, not by libgit2.
static inline int shiplog_git_no_owner_validation(void) {
    return git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
}

// Bytes of parsed objects (trees, commits) kept in memory, all repositories together.
static inline int shiplog_git_cache_limit(ssize_t bytes) {
    return git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, bytes);
}

// Bytes of pack files mapped at once, all repositories together.
static inline int shiplog_git_mapped_limit(size_t bytes) {
    return git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, bytes);
}

// Pack files open at once, all repositories together.
static inline int shiplog_git_open_files_limit(size_t files) {
    return git_libgit2_opts(GIT_OPT_SET_MWINDOW_FILE_LIMIT, files);
}

// Each object's hash is compared with its name when it is read.
static inline int shiplog_git_verify_hashes(void) {
    return git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 1);
}

// The references that keep commits must survive a power cut: the ledger names those commits.
static inline int shiplog_git_fsync(void) {
    return git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
}

// What follows starts the child `git`. glibc declares these only under _GNU_SOURCE, which Swift's importer leaves unset.
#ifdef __linux__
extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *, int);
extern int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *, const char *);
extern int pipe2(int *, int);
extern int prlimit(pid_t, int, const struct rlimit *, struct rlimit *);

// The child inherits nothing but its three streams: a socket of the server's in a child would outlive the server.
static inline int shiplog_close_from(posix_spawn_file_actions_t *actions, int first) {
    return posix_spawn_file_actions_addclosefrom_np(actions, first);
}

static inline int shiplog_start_in(posix_spawn_file_actions_t *actions, const char *directory) {
    return posix_spawn_file_actions_addchdir_np(actions, directory);
}

// Both ends are closed by exec from the start: another thread may start a child between two calls.
static inline int shiplog_pipe(int *ends, int flags) {
    return pipe2(ends, flags);
}

// No core dumps (they would hold credentials), and no file larger than `bytes`.
static inline int shiplog_limit_child(pid_t child, uint64_t bytes) {
    struct rlimit none = {0, 0}, size = {bytes, bytes};
    int core = prlimit(child, RLIMIT_CORE, &none, (struct rlimit *)0);
    int file = prlimit(child, RLIMIT_FSIZE, &size, (struct rlimit *)0);
    return core != 0 ? core : file;
}
#endif
