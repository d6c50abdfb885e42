/*
 * Records how a process changes the files of one folder, in the order in which it does so. Loaded with LD_PRELOAD.
 *
 * RECORD_FOLDER is the folder, RECORD_LOG the file to append to. A sync takes some milliseconds, as on a disk. It fails
 * as long as the file RECORD_FAILURE exists. SQLite's `-shm` file is left out: it is mapped, and rebuilt at each start.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* As in recording.rs. */
enum kind { OPENED, WRITTEN, TRUNCATED, SYNCED, UNLINKED, RENAMED };

struct header {
    uint32_t kind;
    uint32_t size;
    uint64_t handle;
    uint64_t number;
};

#define MAX_FILES 4096
#define LONGEST_SYNC_NANOSECONDS 8000000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *folder;
static const char *failure;
static int log_file = -1;
static uint64_t length;
/* By file descriptor, 0 if it isn't one of the folder's files. */
static uint64_t handles[MAX_FILES];
static uint32_t last_handle;

__attribute__((constructor)) static void start(void)
{
    failure = getenv("RECORD_FAILURE");
    log_file = syscall(SYS_openat, AT_FDCWD, getenv("RECORD_LOG"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    length = lseek(log_file, 0, SEEK_END);
    folder = getenv("RECORD_FOLDER");
}

/* The file's name in the folder, "" for the folder itself, NULL for all others. */
static const char *name_of(const char *path)
{
    size_t size = folder ? strlen(folder) : 0, all = strlen(path);
    if (!size || strncmp(path, folder, size))
        return NULL;
    if (path[size] == '\0')
        return "";
    if (path[size] != '/' || (all > 4 && !strcmp(path + all - 4, "-shm")))
        return NULL;
    return path + size + 1;
}

static uint64_t handle_of(int file)
{
    return file >= 0 && file < MAX_FILES ? handles[file] : 0;
}

static void append(enum kind kind, uint64_t handle, uint64_t number, const void *data, size_t size)
{
    int error = errno;
    struct header header = { kind, size, handle, number };
    struct iovec parts[] = { { &header, sizeof header }, { (void *)data, size } };
    ssize_t written = syscall(SYS_writev, log_file, parts, 2);
    if (written != (ssize_t)(sizeof header + size))
        abort();
    length += written;
    errno = error;
}

static int open_at(int directory, const char *path, int flags, mode_t mode)
{
    const char *name = name_of(path);
    if (!name)
        return syscall(SYS_openat, directory, path, flags, mode);
    pthread_mutex_lock(&lock);
    int created = (flags & O_CREAT) && syscall(SYS_faccessat, AT_FDCWD, path, F_OK);
    int file = syscall(SYS_openat, directory, path, flags, mode);
    if (file >= MAX_FILES)
        abort();
    if (file >= 0) {
        handles[file] = (uint64_t)getpid() << 32 | ++last_handle;
        append(OPENED, handles[file], created, name, strlen(name));
        if (flags & O_TRUNC)
            append(TRUNCATED, handles[file], 0, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return file;
}

int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open_at(AT_FDCWD, path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open_at(directory, path, flags, mode);
}

int close(int file)
{
    pthread_mutex_lock(&lock);
    if (handle_of(file))
        handles[file] = 0;
    pthread_mutex_unlock(&lock);
    return syscall(SYS_close, file);
}

ssize_t write(int file, const void *data, size_t size)
{
    if (!handle_of(file))
        return syscall(SYS_write, file, data, size);
    pthread_mutex_lock(&lock);
    ssize_t written = syscall(SYS_write, file, data, size);
    if (written > 0)
        append(WRITTEN, handle_of(file), lseek(file, 0, SEEK_CUR) - written, data, written);
    pthread_mutex_unlock(&lock);
    return written;
}

ssize_t pwrite64(int file, const void *data, size_t size, off64_t offset)
{
    if (!handle_of(file))
        return syscall(SYS_pwrite64, file, data, size, offset);
    pthread_mutex_lock(&lock);
    ssize_t written = syscall(SYS_pwrite64, file, data, size, offset);
    if (written > 0)
        append(WRITTEN, handle_of(file), offset, data, written);
    pthread_mutex_unlock(&lock);
    return written;
}

int ftruncate64(int file, off64_t size)
{
    pthread_mutex_lock(&lock);
    int failed = syscall(SYS_ftruncate, file, size);
    if (!failed && handle_of(file))
        append(TRUNCATED, handle_of(file), size, NULL, 0);
    pthread_mutex_unlock(&lock);
    return failed;
}

/* The sync covers all that was recorded before it began. */
static int sync_file(long call, int file)
{
    if (!handle_of(file))
        return syscall(call, file);
    pthread_mutex_lock(&lock);
    uint64_t began = length;
    pthread_mutex_unlock(&lock);
    if (!syscall(SYS_faccessat, AT_FDCWD, failure, F_OK)) {
        errno = EIO;
        return -1;
    }
    struct timespec wait = { 0, began * 7919 % LONGEST_SYNC_NANOSECONDS };
    nanosleep(&wait, NULL);
    int failed = syscall(call, file);
    pthread_mutex_lock(&lock);
    if (!failed)
        append(SYNCED, handle_of(file), began, NULL, 0);
    pthread_mutex_unlock(&lock);
    return failed;
}

int fsync(int file)
{
    return sync_file(SYS_fsync, file);
}

int fdatasync(int file)
{
    return sync_file(SYS_fdatasync, file);
}

int unlinkat(int directory, const char *path, int flags)
{
    const char *name = name_of(path);
    pthread_mutex_lock(&lock);
    int failed = syscall(SYS_unlinkat, directory, path, flags);
    if (!failed && name)
        append(UNLINKED, 0, 0, name, strlen(name));
    pthread_mutex_unlock(&lock);
    return failed;
}

int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

int rename(const char *from, const char *to)
{
    const char *old = name_of(from), *new = name_of(to);
    pthread_mutex_lock(&lock);
    int failed = syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    if (!failed && old && new) {
        /* Two names, and the length of the first. */
        char names[512];
        size_t first = strlen(old), second = strlen(new);
        if (first + second > sizeof names)
            abort();
        memcpy(names, old, first);
        memcpy(names + first, new, second);
        append(RENAMED, 0, first, names, first + second);
    }
    pthread_mutex_unlock(&lock);
    return failed;
}

int open64(const char *path, int flags, ...) __attribute__((alias("open")));
int openat64(int directory, const char *path, int flags, ...) __attribute__((alias("openat")));
ssize_t pwrite(int file, const void *data, size_t size, off_t offset) __attribute__((alias("pwrite64")));
int ftruncate(int file, off_t size) __attribute__((alias("ftruncate64")));
