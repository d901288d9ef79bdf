/*
 * failpoint.c - failpoints of the test build; see docs/failpoints.md. The plan is the file `failpoints`
 * in the runtime directory, read anew at each point: `name=[N*]action->[N*]action;name=...`
 *
 * Nobody tells us where that directory is, so that the programs that are released need no code for it:
 * a supervisor has its cell's directory open, and a stage is its child. A newcomer has no descriptors,
 * but the files of the host.
 */
#include "failpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_POINTS 32
#define CELLS      "/cells/"

static char plan_path[4096];

/* How often each point was reached since the plan was written. */
static struct {
	const char *name;
	unsigned long times;
} reached[MAX_POINTS];

/* A plan that is misspelled must not pass as none. */
static _Noreturn void give_up(const char *why)
{
	dprintf(STDERR_FILENO, "failpoint: %s\n", why);
	_exit(125);
}

/* Take the runtime directory from a descriptor that a process has of a cell's directory in it. */
static void find_by_descriptors(pid_t pid)
{
	for (int fd = 0; fd < 256 && plan_path[0] == 0; fd++) {
		char link[64], target[3072] = "", *cells;

		snprintf(link, sizeof(link), "/proc/%d/fd/%d", pid, fd);
		if (readlink(link, target, sizeof(target) - 1) < 0)
			continue;
		cells = strstr(target, CELLS);
		if (cells && strlen(cells) == strlen(CELLS) + 16) {
			*cells = 0;
			snprintf(plan_path, sizeof(plan_path), "%s/failpoints", target);
		}
	}
}

/* Also before main(): a stage that has entered the cell finds no supervisor any more. */
__attribute__((constructor)) static void find_plan(void)
{
	int error = errno;

	if (plan_path[0] == 0)
		find_by_descriptors(getpid());
	if (plan_path[0] == 0)
		find_by_descriptors(getppid());
	errno = error;
}

/* Count a point; a plan that was written anew begins anew. Returns how often it was reached before. */
static unsigned long count(const char *name, const struct stat *plan)
{
	static struct stat last;
	int i = 0;

	if (last.st_ino != plan->st_ino || last.st_mtim.tv_sec != plan->st_mtim.tv_sec ||
	    last.st_mtim.tv_nsec != plan->st_mtim.tv_nsec)
		memset(reached, 0, sizeof(reached));
	last = *plan;
	while (i < MAX_POINTS && reached[i].name && strcmp(reached[i].name, name) != 0)
		i++;
	if (i == MAX_POINTS)
		give_up("too many points");
	reached[i].name = name;
	return reached[i].times++;
}

/* Read the plan into `text`, and count the point; returns whether there is a plan. */
static bool read_plan(const char *name, char text[4096], unsigned long *times)
{
	int fd = open(plan_path, O_RDONLY | O_CLOEXEC);
	struct stat plan;
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, 4095);
	if (n < 0 || n == 4095 || fstat(fd, &plan) < 0)
		give_up("the plan cannot be read");
	close(fd);
	text[n] = 0;
	*times = count(name, &plan);
	return true;
}

/* The action of a point that was reached so often before; NULL: none. It is cut out of `text`. */
static const char *find_action(char *text, const char *name, unsigned long times)
{
	for (char *rest, *line = strtok_r(text, "; \t\n", &rest); line;
	     line = strtok_r(NULL, "; \t\n", &rest)) {
		size_t length = strlen(name);

		if (strncmp(line, name, length) != 0 || line[length] != '=')
			continue;
		for (char *next, *term = line + length + 1; term; term = next) {
			unsigned long most = strtoul(term, NULL, 10);
			const char *star;

			next = strstr(term, "->");
			if (next) {
				*next = 0;
				next += 2;
			}
			star = strchr(term, '*');
			if (!star || times < most)
				return star ? star + 1 : term;
			times -= most;
		}
	}
	return NULL;
}

/* Open `<plan>.<suffix>`. */
static int open_beside(const char *suffix, int flags)
{
	char path[sizeof(plan_path) + 16];
	int fd;

	snprintf(path, sizeof(path), "%s.%s", plan_path, suffix);
	fd = open(path, flags | O_CLOEXEC, 0600);
	if (fd < 0)
		give_up(path);
	return fd;
}

/* Tell the test, and stand still until it sends a byte, or is gone. */
static void stand_still(const char *name)
{
	int told = open_beside("reached", O_WRONLY | O_NONBLOCK);
	int go = open_beside("go", O_RDONLY);
	char byte;

	dprintf(told, "%s\n", name);
	close(told);
	while (read(go, &byte, 1) < 0 && errno == EINTR)
		;
	close(go);
}

/* error(E): returns its number. */
static int to_errno(const char *action)
{
	static const struct {
		const char *name;
		int number;
	} errors[] = {
		{ "error(EAGAIN)", EAGAIN }, { "error(EINTR)", EINTR },
		{ "error(EIO)", EIO },       { "error(EMFILE)", EMFILE },
		{ "error(ENOMEM)", ENOMEM }, { "error(ENOSPC)", ENOSPC },
		{ "error(EPERM)", EPERM },
	};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (strcmp(action, errors[i].name) == 0)
			return errors[i].number;
	give_up(action);
}

/* See failpoint.h. */
bool failpoint(const char *name)
{
	char text[4096];
	unsigned long times;
	const char *action = NULL;
	int error = errno;

	find_plan();
	if (plan_path[0] && read_plan(name, text, &times))
		action = find_action(text, name, times);
	errno = error;
	if (!action || strcmp(action, "off") == 0)
		return false;
	if (strcmp(action, "kill") == 0)
		kill(getpid(), SIGKILL);
	if (strcmp(action, "pause") == 0) {
		stand_still(name);
	} else if (strcmp(action, "print") == 0) {
		int printed = open_beside("printed", O_WRONLY | O_CREAT | O_APPEND);

		dprintf(printed, "%s\n", name);
		close(printed);
	} else {
		errno = to_errno(action);
		return true;
	}
	errno = error;
	return false;
}
