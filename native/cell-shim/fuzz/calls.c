/* calls.c - processes of the imaginary kernel, and what only succeeds or fails. */
#include "world.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

int world_call(const char *name)
{
	if (!world_luck())
		return -1;
	if (world.called)
		world.called(name);
	return 0;
}

/* Some call that takes a descriptor, which has to be open. */
int world_on(const char *name, int fd)
{
	bool known = fd >= FIRST_FD && fd < FIRST_FD + FDS_OPEN && world.fds[fd - FIRST_FD].open;

	MAKE_SURE(known || world.lax || fd <= 3);
	errno = EBADF;
	return known || (fd >= 0 && fd <= 3) ? world_call(name) : -1;
}

/* Succeeds: a disk that takes neither writes nor this may keep half a line, and nobody can help it. */
int world_truncate(int fd, off_t size)
{
	(void)fd;
	if (world.truncated)
		world.truncated(size);
	return 0;
}

int world_path(const char *name, const char *path, ...)
{
	return strlen(path) < 1U << 20 ? world_call(name) : -1;
}

int world_prctl(int option, ...)
{
	return world_call(option == PR_SET_NO_NEW_PRIVS ? "no_new_privs"
			  : option == PR_CAPBSET_DROP   ? "bound"
			  : option == PR_CAP_AMBIENT    ? "ambient"
							: "prctl");
}

int world_print(int fd, const char *format, ...)
{
	(void)format;
	return fd;
}

int world_clock(struct timespec *at)
{
	at->tv_sec = world.now / 1000000000;
	at->tv_nsec = world.now % 1000000000;
	return 0;
}

int world_poll(struct pollfd *fd)
{
	fd->revents = POLLIN;
	return world_luck() ? 1 : -1;
}

struct child *world_child(void)
{
	struct child *child = &world.children[world.next_child];

	if (world.next_child == CHILDREN_EVER)
		return NULL;
	child->pid = FIRST_CHILD + world.next_child++;
	return child;
}

struct child *world_child_by_pid(pid_t pid)
{
	int at = pid - FIRST_CHILD;

	return at >= 0 && at < world.next_child && !world.children[at].reaped ? &world.children[at]
									      : NULL;
}

/* Who waits without WNOHANG for one that lives would hang: it ends, for the program to come back. */
int world_waitid(int type, id_t id, siginfo_t *end, int options)
{
	struct child *found = NULL;
	bool any = false;

	for (int i = 0; i < world.next_child && !(found && found->ended); i++) {
		struct child *child = &world.children[i];

		if (child->reaped || (type == P_PID && child->pid != (pid_t)id))
			continue;
		any = true;
		if (child->ended || !(options & WNOHANG))
			found = child;
	}
	errno = ECHILD;
	if (!any)
		return -1;
	if (!(options & WNOHANG) && !world_luck() && errno == EINTR)
		return -1;
	if (!found) {
		end->si_pid = 0;
		return 0;
	}
	if (!found->ended) {
		found->ended = true;
		found->code = CLD_KILLED;
		found->status = SIGKILL;
	}
	end->si_pid = found->pid;
	end->si_code = found->code;
	end->si_status = found->status;
	found->reaped = !(options & WNOWAIT);
	return 0;
}

/* Only a pid that nobody else can have may be signalled: one that was not reaped. */
int world_kill(pid_t pid, int number)
{
	MAKE_SURE(world_child_by_pid(pid));
	if (world.signaled)
		world.signaled(pid, number);
	return 0;
}

/* Returns only when it fails. */
int world_exec(const char *path, char *const *argv, char *const *envp)
{
	if (!world_luck())
		return -1;
	if (world.executed)
		world.executed(path, argv, envp);
	world_exit(0);
}

long world_syscall(long number, ...)
{
	struct child *child;
	char **argv, **envp;
	va_list list;
	int fd;

	va_start(list, number);
	fd = va_arg(list, int);
	if (number == SYS_execveat) {
		(void)va_arg(list, char *);
		argv = va_arg(list, char **);
		envp = va_arg(list, char **);
		va_end(list);
		return world_exec("", argv, envp);
	}
	va_end(list);
	switch (number) {
	case SYS_clone3:
		if (!world_luck())
			return -1;
		if (world.in_child)
			return 0;
		child = world_child();
		errno = EAGAIN;
		return child ? child->pid : -1;
	case SYS_pidfd_open:
		errno = ESRCH;
		return fd > 0 ? world_new_fd("pidfd") : -1;
	case SYS_pidfd_send_signal:
		return world_on("pidfd_send_signal", fd);
	default:
		return world_call(number == SYS_capset ? "capset" : "syscall");
	}
}
