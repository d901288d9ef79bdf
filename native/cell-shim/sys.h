/* sys.h - system calls that musl does not wrap, and what passes between supervisor and stage. */
#ifndef AURAE_SYS_H
#define AURAE_SYS_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CELL_NAMESPACES                                                                            \
	(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP)
#define INTO_CGROUP     0x200000000ULL /* CLONE_INTO_CGROUP */
#define MAX_HIERARCHIES 16
#define MAX_READ_ONLY   64

/* The step of a FAILED frame: where in its work a program was. */
/* clang-format off */
#define STEPS(X) \
	X(launch) X(parent) X(cgroup) X(clone) X(enter) X(unshare) X(mount) X(hostname) X(loopback) \
	X(capabilities) X(socket) X(log) X(pipe) X(chdir) X(identity) X(exec) X(run) X(stop) X(slots) \
	X(ended) X(killed)
/* clang-format on */
#define STEP_ENUM(name) STEP_##name,
enum step { STEPS(STEP_ENUM) REPORT_PID, REPORT_READY };

/* What the stage and who comes of it tell; a pipe write of this size is never torn. */
struct report {
	int32_t what;  /* REPORT_PID, REPORT_READY, or the step that failed */
	int32_t value; /* the pid, nothing, or errno */
};

/* The descriptors of an order, -1 where there is none. TASKS are the `tasks` files of v1 to join. */
enum { REPORT_PIPE, PARENT, OUT_PIPE, ERR_PIPE, INTO, TASKS, FDS = TASKS + 2 * MAX_HIERARCHIES };

/* What the supervisor orders from the stage, which reads it from descriptor ORDER_FD. */
#define ORDER_FD 3
struct order {
	int32_t fds[FDS];
	uint32_t joins, tasks; /* how many TASKS are joined first, and how many there are */
	uint32_t init;         /* whether I is made; else an executable is started */
	uint32_t namespaces;   /* of I */
	uint32_t uid, gid;     /* of an executable */
};

/* fork() with flags; returns as fork does. With CLONE_PARENT the exit signal is inherited too. */
static inline pid_t sys_clone(uint64_t flags, int cgroup)
{
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
		uint64_t set_tid, set_tid_size, cgroup;
	} args = { .flags = flags, .exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD };

	if (cgroup >= 0) {
		args.flags |= INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup;
	}
	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

static inline int sys_pidfd_open(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

static inline int sys_close_range(unsigned first, unsigned last)
{
	return (int)syscall(SYS_close_range, first, last, 0);
}

/* Tell the supervisor; returns 0, or -1 when nobody is there to read. */
static inline int tell(int fd, int what, int value)
{
	struct report report = { .what = what, .value = value };

	return write(fd, &report, sizeof(report)) == (ssize_t)sizeof(report) ? 0 : -1;
}

#endif
