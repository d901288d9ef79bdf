/*
 * cgroup.c - the cell's cgroup directories: who is in them, what they used, and their end. D makes them
 * and sets the limits. All paths are relative to a descriptor of the cell's directory.
 */
#include "supervisor.h"

#include <stdlib.h>

#define BATCH 256

/* Take a hierarchy in. */
void
cgroup_add(struct cgroups *groups, int dir, uint32_t roles)
{
	int index = (int)groups->count;

	if (index == 0)
		groups->v2 = groups->freezer = groups->members = -1;
	groups->dir[index] = dir;
	groups->roles[index] = roles;
	groups->count++;
	if (roles & ROLE_V2)
		groups->v2 = index;
	else if (roles & ROLE_FREEZER)
		groups->freezer = index;
	groups->members = groups->v2 >= 0 ? groups->v2 : groups->freezer >= 0 ? groups->freezer : 0;
}

/* Open a file of a child directory ("." is the cell's own); returns the descriptor or -1. */
int
cgroup_open(const struct cgroups *groups, int index, const char *child, const char *file, int flags)
{
	struct text path;

	return openat(groups->dir[index], join(&path, child, "/", file), flags | O_CLOEXEC);
}

/* Read a small file into `text`; returns false, and an empty text, when it is not there. */
static bool
get(const struct cgroups *groups, int index, const char *child, const char *file, char text[1024])
{
	int fd = cgroup_open(groups, index, child, file, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, 1023);

	text[n < 0 ? 0 : n] = 0;
	if (fd >= 0)
		close(fd);
	return n > 0;
}

/* Write a word into a file. What fails shows in what happens next: the processes stay. */
static void
set(const struct cgroups *groups, int index, const char *child, const char *file, const char *word)
{
	int fd = cgroup_open(groups, index, child, file, O_WRONLY);

	if (fd < 0)
		return;
	if (write(fd, word, strlen(word)) < 0)
		errno = 0;
	close(fd);
}

/* Find the number after `key` at the beginning of a line ("" is the whole file). */
bool
cgroup_text_value(const char *text, const char *key, uint64_t *value)
{
	size_t length = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n'), line += line != NULL) {
		const char *digits = line + length;

		if (strncmp(line, key, length) != 0)
			continue;
		if (length > 0 && *digits++ != ' ')
			continue;
		if (*digits < '0' || *digits > '9')
			return false;
		*value = strtoull(digits, NULL, 10);
		return true;
	}
	return false;
}

/*
 * Returns whether a process is left. On v2 `events` becomes a descriptor that epoll can wait on
 * (EPOLLPRI) from this look on, so no change is missed; a directory that has gone is empty. On v1 a
 * directory is looked at alone, without what is below it.
 */
bool
cgroup_populated(const struct cgroups *groups, const char *child, int *events)
{
	char text[1024];
	uint64_t populated = 0;
	ssize_t n;

	if (groups->v2 < 0)
		return get(groups, groups->members, child, "cgroup.procs", text);
	if (*events < 0)
		*events = cgroup_open(groups, groups->v2, child, "cgroup.events", O_RDONLY);
	/* Out of descriptors or memory: nobody knows, so nothing may be taken for empty. */
	if (*events < 0)
		return errno != ENOENT && errno != ENODEV;
	n = pread(*events, text, sizeof(text) - 1, 0);
	text[n < 0 ? 0 : n] = 0;
	return cgroup_text_value(text, "populated", &populated) && populated != 0;
}

/* Where the counters are: in a hierarchy with this role, of v2 or v1; in nanoseconds or `scale` of them. */
static const struct counter {
	uint32_t role;
	bool v2;
	enum usage_key key;
	uint64_t scale;
	const char *file, *name;
} counters[] = {
	{ ROLE_CPU, true, CPU_USER, 1000, "cpu.stat", "user_usec" },
	{ ROLE_CPU, true, CPU_SYSTEM, 1000, "cpu.stat", "system_usec" },
	{ ROLE_CPU, true, CPU_TOTAL, 1000, "cpu.stat", "usage_usec" },
	{ ROLE_CPU, true, THROTTLED, 1000, "cpu.stat", "throttled_usec" },
	{ ROLE_MEMORY, true, MEMORY_PEAK, 1, "memory.peak", "" },
	{ ROLE_MEMORY, true, OOM_KILLS, 1, "memory.events", "oom_kill" },
	{ ROLE_PIDS, true, PIDS_PEAK, 1, "pids.peak", "" },
	{ ROLE_CPU, false, THROTTLED, 1, "cpu.stat", "throttled_time" },
	{ ROLE_CPUACCT, false, CPU_USER, 1, "cpuacct.usage_user", "" },
	{ ROLE_CPUACCT, false, CPU_SYSTEM, 1, "cpuacct.usage_sys", "" },
	{ ROLE_CPUACCT, false, CPU_TOTAL, 1, "cpuacct.usage", "" },
	{ ROLE_MEMORY, false, MEMORY_PEAK, 1, "memory.max_usage_in_bytes", "" },
	{ ROLE_MEMORY, false, OOM_KILLS, 1, "memory.oom_control", "oom_kill" },
	{ ROLE_PIDS, false, PIDS_PEAK, 1, "pids.peak", "" },
};

/* Read what a run has used, from whichever hierarchy can tell. */
void
cgroup_usage(const struct cgroups *groups, const char *child, struct usage *usage)
{
	char text[1024];
	uint64_t value;

	for (int i = 0; i < (int)groups->count; i++)
		for (const struct counter *each = counters;
		     each < counters + sizeof(counters) / sizeof(counters[0]); each++) {
			if (!(groups->roles[i] & each->role) || each->v2 != (i == groups->v2) ||
			    !get(groups, i, child, each->file, text) ||
			    !cgroup_text_value(text, each->name, &value))
				continue;
			usage->known |= 1U << each->key;
			usage->value[each->key] = value * each->scale;
		}
}

/* Read the next pid of a cgroup.procs, across reads; 0 at the end. */
static pid_t
next_pid(int fd, char text[1024], size_t *at, size_t *size)
{
	pid_t pid = 0;

	for (;; ++*at) {
		if (*at == *size) {
			ssize_t n = read(fd, text, 1024);

			*at = 0;
			*size = n > 0 ? (size_t)n : 0;
			if (n <= 0)
				return pid;
		}
		if (text[*at] >= '0' && text[*at] <= '9')
			pid = pid * 10 + (text[*at] - '0');
		else if (pid > 0)
			return pid;
	}
}

/* Fill `pids` with members from number `skip` on, or signal those who still are; returns how many. */
static int
members(const struct cgroups *groups, const char *child, int skip, pid_t *pids, int *fds,
	int number)
{
	char text[1024];
	size_t at = 0, size = 0;
	int fd = cgroup_open(groups, groups->members, child, "cgroup.procs", O_RDONLY);
	int found = 0;
	pid_t pid;

	if (fd < 0)
		return 0;
	while ((pid = next_pid(fd, text, &at, &size)) > 0) {
		if (number == 0 && skip-- <= 0 && found < BATCH)
			pids[found++] = pid;
		for (int i = 0; number > 0 && i < BATCH && pids[i] > 0; i++)
			if (pids[i] == pid && fds[i] >= 0)
				sys_pidfd_signal(fds[i], number);
	}
	close(fd);
	return found;
}

/*
 * Signal every process of a directory, and none beside: a pidfd may be of a process that got its pid
 * anew, so who still is a member after all pidfds are open is who is meant.
 */
void
cgroup_signal(const struct cgroups *groups, const char *child, int number)
{
	pid_t pids[BATCH];
	int fds[BATCH] = { 0 }, found, skip = 0;

	do {
		memset(pids, 0, sizeof(pids));
		found = members(groups, child, skip, pids, fds, 0);
		for (int i = 0; i < found; i++)
			fds[i] = sys_pidfd_open(pids[i]);
		members(groups, child, 0, pids, fds, number);
		for (int i = 0; i < found; i++)
			if (fds[i] >= 0)
				close(fds[i]);
		skip += found;
	} while (found == BATCH);
}

/*
 * Kill all that is in a directory; on v2 with all below it. Where there is no cgroup.kill, the frozen
 * cannot fork away, and the caller comes again until it is empty. What a v1 freezer holds dies of
 * neither before it is thawed.
 */
void
cgroup_kill(const struct cgroups *groups, const char *child)
{
	if (groups->v2 >= 0) {
		set(groups, groups->v2, child, "cgroup.kill", "1");
	} else {
		if (groups->freezer >= 0)
			set(groups, groups->freezer, child, "freezer.state", "FROZEN");
		cgroup_signal(groups, child, SIGKILL);
	}
	if (groups->freezer >= 0)
		set(groups, groups->freezer, child, "freezer.state", "THAWED");
}
