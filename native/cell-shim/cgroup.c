/*
 * cgroup.c - the cell's cgroup directories: who is in them, what they used, and their end. D makes them
 * and sets the limits. All paths are relative to a descriptor of the cell's directory.
 */
#include "supervisor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BATCH   256
#define MEMBERS (512 * 1024) /* bytes of a cgroup.procs with 65,536 pids */

/* openat() of a path that is put together as printf() does; a file that is made is ours alone. */
int open_at(int dir, int flags, const char *format, ...)
{
	char path[512];
	va_list list;
	int length;

	va_start(list, format);
	length = vsnprintf(path, sizeof(path), format, list);
	va_end(list);
	errno = ENAMETOOLONG;
	return length < (int)sizeof(path) ? openat(dir, path, flags | O_CLOEXEC, 0600) : -1;
}

/* Read a small file as text; returns false, and an empty text, when it is not there or empty. */
bool read_at(int dir, const char *directory, const char *file, char text[PAGE])
{
	int fd = open_at(dir, O_RDONLY, "%s/%s", directory, file);
	ssize_t n = fd < 0 ? -1 : read(fd, text, PAGE - 1);

	text[n < 0 ? 0 : n] = 0;
	close(fd);
	return n > 0;
}

/* A descriptor that is there to end things with when no other is left: lent for a moment only. */
static int spare = -1;
static void lend_spare(void)
{
	close(spare);
	spare = -1;
}

void hold_spare(void)
{
	if (spare < 0)
		spare = open("/", O_PATH | O_CLOEXEC);
}

/* Write a word into a file. What fails shows in what happens next: the processes stay. */
static void set(int group, const char *child, const char *file, const char *word)
{
	int fd;

	lend_spare();
	fd = open_at(cell.group[group], O_WRONLY, "%s/%s", child, file);
	(void)!write(fd, word, strlen(word));
	close(fd);
	hold_spare();
}

/* Find the number after `key` at the beginning of a line ("" is the whole file). */
bool text_value(const char *text, const char *key, uint64_t *value)
{
	size_t length = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n'), line = line ? line + 1 : 0) {
		const char *digits = line + length + (length > 0);

		if (strncmp(line, key, length) != 0 || (length > 0 && line[length] != ' '))
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
bool cgroup_populated(const char *child, int *events)
{
	char text[PAGE];
	uint64_t populated = 0;
	ssize_t n;

	if (cell.v2 < 0)
		return read_at(cell.group[cell.members], child, "cgroup.procs", text);
	if (*events < 0)
		*events = open_at(cell.group[cell.v2], O_RDONLY, "%s/cgroup.events", child);
	if (*events < 0) {
		if (errno == ENOENT || errno == ENODEV)
			return false;
		lend_spare();
		n = read_at(cell.group[cell.v2], child, "cgroup.events", text);
		hold_spare();
		/* Out of memory: nobody knows, so nothing may be taken for empty. */
		return !n || (text_value(text, "populated", &populated) && populated != 0);
	}
	n = pread(*events, text, sizeof(text) - 1, 0);
	text[n < 0 ? 0 : n] = 0;
	return text_value(text, "populated", &populated) && populated != 0;
}

/* Where the counters are: in a hierarchy with this role, of v2 or v1; in nanoseconds or `scale` of them. */
static const struct counter {
	uint32_t role;
	bool v2;
	uint32_t key, scale;
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
void cgroup_usage(const char *child, struct record *record)
{
	char text[PAGE];
	uint64_t value;

	for (uint32_t i = 0; i < cell.groups; i++)
		for (size_t row = 0; row < sizeof(counters) / sizeof(counters[0]); row++) {
			const struct counter *counter = &counters[row];

			if (!(cell.roles[i] & counter->role) ||
			    counter->v2 != ((int)i == cell.v2) ||
			    !read_at(cell.group[i], child, counter->file, text) ||
			    !text_value(text, counter->name, &value))
				continue;
			record->known |= 1U << counter->key;
			record->usage[counter->key] = value * counter->scale;
		}
}

/* Read the pids of a directory into `text`, each after a newline. */
static void list(const char *child, char text[MEMBERS])
{
	int fd = open_at(cell.group[cell.members], O_RDONLY, "%s/cgroup.procs", child);
	size_t size = 1;
	ssize_t n = 0;

	text[0] = '\n';
	while (fd >= 0 && (n = read(fd, text + size, MEMBERS - 1 - size)) > 0)
		size += (size_t)n;
	text[size] = 0;
	if (fd >= 0)
		close(fd);
}

/*
 * Signal every process of a directory, and none beside: a pidfd may be of a process that got its pid
 * anew, so who still is a member after the pidfds are open is who is meant.
 */
void cgroup_signal(const char *child, int number)
{
	static char members[MEMBERS], still[MEMBERS];
	char line[16], *at = members;
	int fds[BATCH], pids[BATCH], count;

	list(child, members);
	do {
		for (count = 0; count < BATCH && at[0] && at[1]; count++) {
			pids[count] = (int)strtol(at + 1, &at, 10);
			fds[count] = sys_pidfd_open(pids[count]);
		}
		list(child, still);
		for (int i = 0; i < count; i++) {
			snprintf(line, sizeof(line), "\n%d\n", pids[i]);
			if (fds[i] < 0)
				continue;
			if (strstr(still, line))
				syscall(SYS_pidfd_send_signal, fds[i], number, NULL, 0);
			close(fds[i]);
		}
	} while (count == BATCH);
	give_back(members, sizeof(members));
	give_back(still, sizeof(still));
}

/*
 * Kill all that is in a directory; on v2 with all below it. Where there is no cgroup.kill, the frozen
 * cannot fork away, and the caller comes again until it is empty. What a v1 freezer holds dies of
 * neither before it is thawed.
 */
void cgroup_kill(const char *child)
{
	if (cell.v2 >= 0) {
		set(cell.v2, child, "cgroup.kill", "1");
	} else {
		if (cell.freezer >= 0)
			set(cell.freezer, child, "freezer.state", "FROZEN");
		cgroup_signal(child, SIGKILL);
	}
	if (cell.freezer >= 0)
		set(cell.freezer, child, "freezer.state", "THAWED");
}
