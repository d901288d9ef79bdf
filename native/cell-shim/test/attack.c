/*
 * attack.c - what root in a cell may try against a process that is not its own. Tells, for each way to
 * take it over, "<way> done" or "<way> <errno>":
 *
 *   attack PID        once, against a process that is there
 *   attack next COUNT lie in wait for newcomers, until COUNT were met before they had exec'd; tells of each, after
 *                     "<name> held", all that it holds: "<descriptor> <what it is>"
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define WINDOW 64 /* pids that may come and go while we look elsewhere */

static void tell(const char *way, int failed)
{
	printf("%s %s\n", way, failed < 0 ? strerrorname_np(errno) : "done");
	fflush(stdout);
}

/* Read a small file of a process as text. */
static ssize_t read_of(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, size - 1);
	text[n < 0 ? 0 : n] = 0;
	if (fd >= 0)
		close(fd);
	return n;
}

/* Stop it by PTRACE_SEIZE, and let it go. */
static int by_ptrace(pid_t pid)
{
	if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0)
		return -1;
	ptrace(PTRACE_INTERRUPT, pid, 0, 0);
	waitpid(pid, NULL, __WALL);
	ptrace(PTRACE_DETACH, pid, 0, 0);
	return 0;
}

static int by_mem(pid_t pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return fd;
}

/* Any descriptor that it has. */
static int by_descriptor(pid_t pid)
{
	int process = (int)syscall(SYS_pidfd_open, pid, 0), fd = -1;

	for (int i = 0; i < 16 && fd < 0; i++) {
		fd = (int)syscall(SYS_pidfd_getfd, process, i, 0);
		if (fd < 0 && errno != EBADF)
			break;
	}
	close(process);
	if (fd >= 0)
		close(fd);
	return fd;
}

/* Nothing, to nowhere: refused or not before the address is looked at. */
static int by_vm(pid_t pid)
{
	char byte = 0;
	struct iovec here = { &byte, 1 }, there = { 0, 1 };
	ssize_t n = process_vm_writev(pid, &here, 1, &there, 1, 0);

	return n < 0 && errno == EFAULT ? 0 : (int)n;
}

static int by_environment(pid_t pid)
{
	char text[4096];

	return (int)read_of(pid, "environ", text, sizeof(text));
}

static int once(pid_t pid)
{
	tell("ptrace", by_ptrace(pid));
	tell("mem", by_mem(pid));
	tell("pidfd_getfd", by_descriptor(pid));
	tell("process_vm_writev", by_vm(pid));
	tell("environ", by_environment(pid));
	tell("kill", kill(pid, SIGSEGV));
	return 0;
}

/* Tell all that a process holds that is stopped before its exec. */
static void tell_held(pid_t pid)
{
	char path[64], target[256], name[256];
	struct dirent *entry;
	DIR *directory;

	read_of(pid, "comm", name, sizeof(name));
	name[strcspn(name, "\n")] = 0;
	printf("%s held\n", name);
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	directory = opendir(path);
	while (directory && (entry = readdir(directory))) {
		char link[512];
		ssize_t n;

		snprintf(link, sizeof(link), "%s/%s", path, entry->d_name);
		n = readlink(link, target, sizeof(target) - 1);
		if (n < 0)
			continue; /* . and .. */
		target[n] = 0;
		printf("%s %s\n", entry->d_name, target);
	}
	if (directory)
		closedir(directory);
	if (read_of(pid, "environ", name, sizeof(name)) > 0)
		printf("environment %s\n", name);
	fflush(stdout);
}

/* Stop a newcomer, and tell what it holds when it has not exec'd yet. Returns whether that was so. */
static bool stop_and_look(pid_t pid)
{
	char name[64];
	bool early;

	ptrace(PTRACE_INTERRUPT, pid, 0, 0);
	waitpid(pid, NULL, __WALL);
	read_of(pid, "comm", name, sizeof(name));
	early = strncmp(name, "aurae-stage", 11) == 0;
	if (early)
		tell_held(pid);
	ptrace(PTRACE_DETACH, pid, 0, 0);
	return early;
}

/* Pids in a cell come one after another: try those that are next until one is there, and stop it at once. */
static int lie_in_wait(int count)
{
	pid_t next = getpid() + 1;

	puts("ready");
	fflush(stdout);
	while (count > 0)
		for (pid_t pid = next; pid < next + WINDOW; pid++)
			if (ptrace(PTRACE_SEIZE, pid, 0, 0) == 0) {
				count -= stop_and_look(pid);
				next = pid + 1;
			}
	puts("end");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[1], "next") == 0)
		return lie_in_wait(atoi(argv[2]));
	return argc > 1 ? once(atoi(argv[1])) : 2;
}
