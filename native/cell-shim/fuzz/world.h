/*
 * world.h - an imaginary kernel for the fuzz targets. Each call may fail with an errno that the input
 * chooses; descriptors are counted, and using one that is not open ends the program. What a target
 * wants to say or to hear of it, it puts into `world`.
 */
#ifndef AURAE_WORLD_H
#define AURAE_WORLD_H

#include "frame.h"

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>

#define FIRST_FD        100
#define FDS_OPEN        512
/* S's spare one, which it holds from one input to the next. */
#define SPARE_FD        (FIRST_FD + FDS_OPEN)
#define CHILDREN_EVER   64
#define FIRST_CHILD     1000
#define MAKE_SURE(fact) ((fact) ? (void)0 : world_broken(#fact, __FILE__, __LINE__))

/* What is read from a descriptor: pieces as long as `cuts` says, then an errno, or the end. */
struct source {
	const uint8_t *from, *at, *end;
	struct reader *cuts;
	int error;
};

struct child {
	pid_t pid;
	bool ended, execed, reaped;
	int code, status; /* of siginfo_t */
	uint32_t group;
};

extern struct world {
	struct reader luck;        /* a byte for each call that can fail; none left: all is well */
	bool lax;                  /* descriptors that are not open fail, and are no mistake */
	bool in_child;             /* clone3() returns in the child */
	bool has_spare;            /* opening / gives SPARE_FD, always */
	bool descriptors;          /* what is received carries some */
	struct source order;       /* descriptor 3 */
	int open, top, next_child; /* descriptors that are open, and those that ever were */
	int64_t now;
	struct source *(*find)(const char *path); /* what a file that is opened has in it */
	ssize_t (*written)(int fd, const char *path, const uint8_t *bytes, size_t size, off_t at);
	void (*sent)(const uint8_t *bytes, size_t size);
	void (*executed)(const char *path, char *const *argv, char *const *envp);
	void (*called)(const char *name); /* succeeded */
	void (*signaled)(pid_t pid, int number);
	void (*truncated)(off_t size);
	/* From here on world_reset() takes back only what was used. */
	struct {
		bool open;
		char path[64]; /* its end */
		struct source *source;
	} fds[FDS_OPEN];
	struct child children[CHILDREN_EVER];
} world;

void world_reset(void);
bool world_run(void (*work)(void)); /* returns whether it came back: false after exit and exec */
struct child *world_child(void);
struct child *world_child_by_pid(pid_t pid);
_Noreturn void world_broken(const char *fact, const char *file, int line);
struct source *world_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool world_luck(void);

/* Inputs: the rest of it, and a part of it that has its length in front, one byte or two. */
struct reader input_of(const uint8_t *data, size_t size);
struct reader take_part(struct reader *in);
struct reader take_long_part(struct reader *in);
struct source source_of(struct reader bytes, struct reader *cuts, int error);

int world_open(int dir, const char *path, int flags, ...);
int world_new_fd(const char *path);
int world_close(int fd);
ssize_t world_read(int fd, void *to, size_t size);
ssize_t world_receive(int fd, struct msghdr *message);
ssize_t world_pread(int fd, void *to, size_t size, off_t at);
ssize_t world_write(int fd, const void *from, size_t size, off_t at);
ssize_t world_send(int fd, const void *from, size_t size);
int world_pipe(int fds[2]);
int world_dup2(int from, int to);
int world_truncate(int fd, off_t size);
int world_on(const char *name, int fd);
int world_call(const char *name);
int world_path(const char *name, const char *path, ...);
int world_prctl(int option, ...);
int world_print(int fd, const char *format, ...);
int world_clock(struct timespec *at);
int world_poll(struct pollfd *fd);
int world_waitid(int type, id_t id, siginfo_t *end, int options);
int world_kill(pid_t pid, int number);
int world_exec(const char *path, char *const *argv, char *const *envp);
long world_syscall(long number, ...);
_Noreturn void world_exit(int status);

#endif
