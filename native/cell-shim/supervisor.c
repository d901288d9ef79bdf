/*
 * supervisor.c - aurae-supervisor: one thread around epoll. It starts with the connection to D as
 * descriptor 3, and ends with the cell.
 */
#include "supervisor.h"

#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#define BATCH 64
#define HOUR  (3600000 * MILLISECONDS)

static int poller, children;

/* Wait for events of a descriptor; returns 0 or -1. */
int watch(int fd, uint32_t events, enum watched what, uint32_t slot)
{
	struct epoll_event event = { .events = events, .data.u32 = (uint32_t)what << 16 | slot };

	return epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
}

/* Close a descriptor. Taken out first: epoll goes on while a child that has not exec'd yet has a copy. */
void unwatch(int *fd)
{
	if (*fd < 0)
		return;
	epoll_ctl(poller, EPOLL_CTL_DEL, *fd, NULL);
	close(*fd);
	*fd = -1;
}

/* A clock in nanoseconds. */
int64_t clock_now(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Give the whole pages of a buffer back to the kernel; they read as zeros afterwards. */
void give_back(void *memory, size_t size)
{
	uintptr_t from = ((uintptr_t)memory + PAGE - 1) & ~(PAGE - 1);
	uintptr_t to = ((uintptr_t)memory + size) & ~(PAGE - 1);

	if (to > from)
		madvise((void *)from, to - from, MADV_DONTNEED);
}

/* One event of epoll. That of a slot which is free by now, or another's, finds nothing to do. */
static void handle(uint32_t data)
{
	enum watched what = (enum watched)(data >> 16);
	struct signalfd_siginfo info;

	if (what <= LISTENER)
		control_event(what);
	else if (what >= REPORT)
		run_event(what, &runs[data & 0xffff]);
	else if (what == CHILDREN && read(children, &info, sizeof(info)) > 0)
		collect(); /* many ends may be one signal: it says no more than that there is something */
}

/*
 * Be as alone as a program can be: what we are given by accident, executables would have too. Returns
 * the connection, or -1. Descriptor 3 stays taken, for a stage finds its order there.
 */
static int settle_in(void)
{
	int connection = fcntl(ORDER_FD, F_DUPFD_CLOEXEC, ORDER_FD + 1);
	char path[4096];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path));
	struct rlimit files;
	sigset_t signals;

	sys_close_range((unsigned)connection + 1, ~0U);
	umask(077);
	sigfillset(&signals);
	sigprocmask(SIG_SETMASK, &signals, NULL);
	if (connection < 0 || dup3(STDIN_FILENO, ORDER_FD, O_CLOEXEC) < 0 || length < 0 ||
	    length >= (ssize_t)sizeof(path) - 16 || getrlimit(RLIMIT_NOFILE, &files) < 0)
		return -1;
	files.rlim_cur = files.rlim_max; /* 512 runs have five descriptors each */
	setrlimit(RLIMIT_NOFILE, &files);
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	/* The stage is beside our own program. It is opened now: replaced later, ours stays. */
	path[length] = 0;
	strcpy(strrchr(path, '/') + 1, "aurae-stage");
	cell.stage_program = open(path, O_PATH | O_CLOEXEC);
	children = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	poller = epoll_create1(EPOLL_CLOEXEC);
	if (cell.stage_program < 0 || children < 0 || poller < 0 ||
	    watch(children, EPOLLIN, CHILDREN, 0) < 0)
		return -1;
	return connection;
}

int main(void)
{
	struct epoll_event events[BATCH];
	int connection = settle_in();

	if (connection < 0)
		return 1;
	control_adopt(connection);
	for (;;) {
		int64_t now = clock_now(CLOCK_MONOTONIC), at = run_tick(now), end = cell_tick(now);
		int64_t left = (end < at ? end : at) - now;
		int n;

		/* An hour at most: these milliseconds are an int, and a grace may be longer. */
		left = left < 0 ? 0 : left > HOUR ? HOUR : left;
		n = epoll_wait(poller, events, BATCH,
			       (int)((left + MILLISECONDS - 1) / MILLISECONDS));
		for (int i = 0; i < n; i++)
			handle(events[i].data.u32);
	}
}
