/*
 * sys.h - what the four programs share: the system calls that musl does not wrap, and the order and
 * the reports that pass between the supervisor, the stage and the cell's init.
 */
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

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "frames are laid out as memory is");

#define FLAG_CLONE_INTO_CGROUP 0x200000000ULL
#define FLAG_CLOSE_CLOEXEC     4U

#define CELL_NAMESPACES                                                                            \
	(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP)

#define MAX_HIERARCHIES 16
#define MAX_READ_ONLY   64

/* The step of a FAILED frame: where in its work a program was. */
/* clang-format off */
#define STEPS(X) \
	X(launch) X(order) X(parent) X(cgroup) X(clone) X(enter) X(unshare) X(mount) X(hostname) \
	X(loopback) X(capabilities) X(socket) X(log) X(pipe) X(chdir) X(identity) X(exec) X(run) \
	X(stop) X(slots) X(ended) X(killed)
/* clang-format on */
#define STEP_ENUM(name) STEP_##name,
enum step { STEPS(STEP_ENUM) REPORT_PID, REPORT_READY };

/* What stage, newcomer and init tell the supervisor; a pipe write of this size is never torn. */
struct report {
	int32_t what;  /* REPORT_PID, REPORT_READY, or the step that failed */
	int32_t value; /* the pid, nothing, or errno */
};

/* What the supervisor orders from the stage: descriptors and numbers, handed on as one argument. */
struct order {
	int32_t report;      /* the pipe of reports */
	int32_t init;        /* pidfd whose namespaces are entered; -1: none */
	int32_t out, err;    /* of an executable */
	int32_t program;     /* aurae-init, when I is to be made; -1: an executable is started */
	int32_t into;        /* v2 directory that I is cloned into; -1: no v2 */
	uint32_t namespaces; /* that I unshares */
	uint32_t uid, gid;
	uint32_t joins, leaves; /* how many of `tasks` before and after CLONE_NEWCGROUP */
	int32_t tasks[2 * MAX_HIERARCHIES]; /* `tasks` files, open for writing */
};
#define ORDER_TEXT (2 * sizeof(struct order) + 1)

struct clone_args3 {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	uint64_t set_tid, set_tid_size, cgroup;
};

/* fork() with flags; returns as fork does. A clone for CLONE_PARENT inherits the caller's exit signal. */
static inline pid_t
sys_clone(uint64_t flags, int cgroup)
{
	struct clone_args3 args = { .flags = flags };

	if (cgroup >= 0) {
		args.flags |= FLAG_CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup;
	}
	args.exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD;
	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

/* Set every signal to its default: also those that libc keeps to itself, and refuses to touch. */
static inline void
sys_default_signals(void)
{
	static const unsigned long defaults[4];

	for (int number = 1; number <= 64; number++)
		syscall(SYS_rt_sigaction, number, defaults, NULL, 8);
}

static inline int
sys_pidfd_open(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

static inline int
sys_pidfd_signal(int pidfd, int number)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0);
}

static inline int
sys_close_range(unsigned first, unsigned last, unsigned flags)
{
	return (int)syscall(SYS_close_range, first, last, flags);
}

static inline int
sys_execveat(int fd, char *const *argv, char *const *envp)
{
	return (int)syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
}

/* Tell the supervisor; returns 0, or -1 when nobody is there to read. */
static inline int
tell(int fd, int what, int value)
{
	struct report report = { .what = what, .value = value };
	ssize_t n;

	do
		n = write(fd, &report, sizeof(report));
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(report) ? 0 : -1;
}

/* Write an order as hexadecimal text into `text`, ORDER_TEXT long. */
static inline void
order_to_text(const struct order *order, char *text)
{
	const unsigned char *bytes = (const unsigned char *)order;

	for (size_t i = 0; i < sizeof(*order); i++) {
		text[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
		text[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
	}
	text[2 * sizeof(*order)] = 0;
}

/* The opposite; returns false for a text that no supervisor of this build wrote. */
static inline bool
order_from_text(struct order *order, const char *text)
{
	unsigned char *bytes = (unsigned char *)order;

	if (strlen(text) != ORDER_TEXT - 1)
		return false;
	for (size_t i = 0; i < sizeof(*order); i++) {
		unsigned high = (unsigned char)text[2 * i], low = (unsigned char)text[2 * i + 1];

		high = high > '9' ? high - 'a' + 10 : high - '0';
		low = low > '9' ? low - 'a' + 10 : low - '0';
		bytes[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

#endif
