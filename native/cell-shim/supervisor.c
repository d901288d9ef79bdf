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

static int poller;
static int64_t wake = NEVER;

/* Wait for events of a descriptor; returns 0 or -1. */
int
watch(int fd, uint32_t events, enum watched what, uint32_t slot)
{
	struct epoll_event event = { .events = events, .data.u32 = (uint32_t)what << 16 | slot };

	return epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
}

/* Wait for other events of it; its end is always seen. */
void
rewatch(int fd, uint32_t events, enum watched what, uint32_t slot)
{
	struct epoll_event event = { .events = events, .data.u32 = (uint32_t)what << 16 | slot };

	epoll_ctl(poller, EPOLL_CTL_MOD, fd, &event);
}

/* Close a descriptor. Taken out first: epoll goes on while a child that has not exec'd yet has a copy. */
void
unwatch(int *fd)
{
	if (*fd < 0)
		return;
	epoll_ctl(poller, EPOLL_CTL_DEL, *fd, NULL);
	close(*fd);
	*fd = -1;
}

/* Ask for a tick at a time of CLOCK_MONOTONIC, or before. */
void
wake_at(int64_t when)
{
	if (when < wake)
		wake = when;
}

/* A clock in nanoseconds. */
int64_t
clock_now(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Give the whole pages of a buffer back to the kernel; they read as zeros afterwards. */
void
give_back(void *memory, size_t size)
{
	uintptr_t from = ((uintptr_t)memory + PAGE - 1) & ~(PAGE - 1);
	uintptr_t to = ((uintptr_t)memory + size) & ~(PAGE - 1);

	if (to > from)
		madvise((void *)from, to - from, MADV_DONTNEED);
}

/* One event of epoll. */
static void
handle(const struct epoll_event *event, int children)
{
	enum watched what = (enum watched)(event->data.u32 >> 16);
	struct signalfd_siginfo info;

	if (what <= LISTENER)
		control_event(what, event->events);
	else if (what >= REPORT)
		run_event(what, event->data.u32 & 0xffff, event->events);
	else if (what == CHILDREN && read(children, &info, sizeof(info)) > 0)
		collect(); /* many ends may be one signal: it says no more than that there is something */
			   /* Of CELL_EVENTS cell_settle() takes care. */
}

/* Wait for events until the next tick is due; returns how many there are. */
static int
wait_for_events(struct epoll_event *events)
{
	struct timespec timeout = { 0 };
	int64_t left = wake == NEVER ? NEVER : wake - clock_now(CLOCK_MONOTONIC);

	if (left > 0) {
		timeout.tv_sec = left / 1000000000;
		timeout.tv_nsec = left % 1000000000;
	}
	/* In nanoseconds: pauses between reads are shorter than epoll_wait() can wait. */
	return (int)syscall(SYS_epoll_pwait2, poller, events, BATCH,
			    wake == NEVER ? NULL : &timeout, NULL, 0);
}

/* Be as alone as a program can be: what we are given by accident, executables would have too. */
static int
settle_in(void)
{
	struct rlimit files;
	sigset_t all;

	sys_close_range(4, ~0U, 0);
	umask(077);
	sys_default_signals();
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	if (fcntl(CONTROL_FD, F_SETFD, FD_CLOEXEC) < 0 || getrlimit(RLIMIT_NOFILE, &files) < 0)
		return -1;
	files.rlim_cur = files.rlim_max; /* 512 runs have four descriptors each */
	setrlimit(RLIMIT_NOFILE, &files);
	sigemptyset(&all);
	sigaddset(&all, SIGCHLD);
	return signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
}

int
main(void)
{
	struct epoll_event events[BATCH];
	int children = settle_in();

	poller = epoll_create1(EPOLL_CLOEXEC);
	if (children < 0 || poller < 0 || !cell_open_programs() ||
	    watch(children, EPOLLIN, CHILDREN, 0) < 0 || watch(CONTROL_FD, EPOLLIN, CONTROL, 0) < 0)
		return 1;
	for (;;) {
		int n = wait_for_events(events);
		int64_t now;

		for (int i = 0; i < n; i++)
			handle(&events[i], children);
		now = clock_now(CLOCK_MONOTONIC);
		if (now >= wake) {
			wake = NEVER;
			run_tick(now);
		}
		cell_settle();
		control_send();
	}
}
