/*
 * cell.c - the life of the cell: made by ENCLOSE, ended by END, or broken by the death of its init. The
 * only place where the supervisor forks, and what it forks execs at once.
 */
#include "supervisor.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#define ENCLOSE_TIMEOUT_MS 30000

struct cell cell = { .events = -1, .init_pidfd = -1 };

/*
 * Read field 22 of /proc/<pid>/stat, the start in clock ticks, and field 9, the flags; both can be read
 * of a zombie too. Returns 0 or -1.
 */
int
process_start(pid_t pid, uint64_t *start, uint64_t *flags)
{
	char text[1024];
	struct text path;
	const char *at;
	ssize_t n;
	int fd;

	join(&path, "/proc/", digits((uint64_t)pid).is, "/stat");
	fd = openat(AT_FDCWD, path.is, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[n < 0 ? 0 : n] = 0;
	/* Field 2 is a name in parentheses, and may contain any of this. */
	at = strrchr(text, ')');
	for (int field = 3; at && field <= 22; field++) {
		at = strchr(at + 1, ' ');
		if (at && field == 9 && flags)
			*flags = strtoull(at, NULL, 10);
		if (at && field == 22)
			*start = strtoull(at, NULL, 10);
	}
	return at ? 0 : -1;
}

/* Open aurae-stage and aurae-init, which are beside our own program: replaced later, ours stay. */
bool
cell_open_programs(void)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;
	int dir;

	path[n < 0 ? 0 : n] = 0;
	slash = strrchr(path, '/');
	if (!slash)
		return false;
	slash[1] = 0;
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cell.stage_program = openat(dir, "aurae-stage", O_PATH | O_CLOEXEC);
	cell.init_program = openat(dir, "aurae-init", O_PATH | O_CLOEXEC);
	close(dir);
	return cell.stage_program >= 0 && cell.init_program >= 0;
}

/*
 * Clone the stage into a v2 directory (7 us; a write to cgroup.procs waits milliseconds) and exec it
 * with the order's descriptors and no other. argv has two places for its name and the order.
 */
pid_t
stage_clone(int into, const struct order *order, char **argv, char **envp)
{
	static char text[ORDER_TEXT];
	const int32_t fds[] = { order->report, order->init,    order->out,
				order->err,    order->program, order->into };
	pid_t pid;

	order_to_text(order, text);
	argv[0] = "aurae-stage";
	argv[1] = text;
	pid = sys_clone(0, into);
	if (pid != 0)
		return pid;
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			fcntl(fds[i], F_SETFD, 0);
	for (uint32_t i = 0; i < order->joins + order->leaves; i++)
		fcntl(order->tasks[i], F_SETFD, 0);
	sys_execveat(cell.stage_program, argv, envp);
	tell(order->report, errno == E2BIG ? STEP_exec : STEP_clone, errno);
	_exit(1);
}

/* The part of ENCLOSED and STATE_IS that says who we are. */
void
cell_state(struct writer *out)
{
	uint64_t start = 0;

	process_start(getpid(), &start, NULL);
	put_u32(out, (uint32_t)getpid());
	put_u64(out, start);
	put_u32(out, (uint32_t)cell.init);
	put_u64(out, cell.init_start);
}

/* ENCLOSE failed: whatever was made goes again, and so do we. */
static _Noreturn void
give_up(uint32_t request, enum step step, int error)
{
	siginfo_t end;

	if (cell.init_pidfd >= 0)
		sys_pidfd_signal(cell.init_pidfd, SIGKILL);
	if (cell.cgroups.count > 0) {
		cgroup_kill(&cell.cgroups, "_init");
		cgroup_kill(&cell.cgroups, ".");
	}
	while (waitid(P_ALL, 0, &end, WEXITED) == 0 || errno == EINTR)
		;
	answer_failed(request, error, step);
	leave(1);
}

/* Listen where the D of tomorrow looks for us. By descriptor: a path may be longer than 108 bytes. */
static int
listen_for_callers(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	struct text path;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	join(&path, "/proc/self/fd/", digits((uint64_t)cell.directory).is, "/s.sock");
	memcpy(name.sun_path, path.is, strlen(path.is) + 1);
	unlinkat(cell.directory, "s.sock", 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0 ||
	    fchmodat(cell.directory, "s.sock", 0600, 0) < 0 || listen(fd, 8) < 0)
		return -1;
	return control_listen(fd);
}

/*
 * Wait until I is ready, and find it: nobody else is in _init. A pid that a stage inside of the parent
 * tells would be one of the parent's namespace. Returns the step that failed, or STEP_launch.
 */
static enum step
await_init(int reports, int stages)
{
	struct pollfd pipe = { .fd = reports, .events = POLLIN };
	struct report report = { .what = STEP_killed, .value = ESRCH };
	char text[16] = "";
	siginfo_t end;
	int n, fd;

	do
		n = poll(&pipe, 1, ENCLOSE_TIMEOUT_MS);
	while (n < 0 && errno == EINTR);
	if (n > 0 && read(reports, &report, sizeof(report)) < 0)
		report.value = errno;
	errno = n > 0 ? report.value : ETIMEDOUT;
	if (report.what != REPORT_READY)
		return (enum step)report.what;
	/* The stages had I as their last work, and only have to be reaped. */
	while (stages > 0)
		stages -= waitid(P_ALL, 0, &end, WEXITED) == 0;
	fd = cgroup_open(&cell.cgroups, cell.cgroups.members, "_init", "cgroup.procs", O_RDONLY);
	n = (int)read(fd, text, sizeof(text) - 1);
	close(fd);
	cell.init = n > 0 ? (pid_t)strtoul(text, NULL, 10) : 0;
	if (cell.init == 0 ||
	    waitid(P_PID, (id_t)cell.init, &end, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	    (cell.init_pidfd = sys_pidfd_open(cell.init)) < 0 ||
	    process_start(cell.init, &cell.init_start, NULL) < 0)
		return STEP_killed;
	return STEP_launch;
}

/* Open what joining needs: `tasks` of each v1 directory and of its _init, and _init itself on v2. */
static bool
open_cgroups(struct order *order)
{
	const struct cgroups *groups = &cell.cgroups;

	for (int leaf = 0; leaf < 2; leaf++)
		for (int i = 0; i < (int)groups->count; i++) {
			int fd;

			if (i == groups->v2)
				continue;
			fd = cgroup_open(groups, i, leaf ? "_init" : ".", "tasks", O_WRONLY);
			if (fd < 0)
				return false;
			order->tasks[order->joins + order->leaves] = fd;
			*(leaf ? &order->leaves : &order->joins) += 1;
		}
	if (groups->v2 >= 0) {
		order->into = cgroup_open(groups, groups->v2, "_init", ".", O_PATH | O_DIRECTORY);
		return order->into >= 0;
	}
	return true;
}

/* Open the parent's I, and make sure that it is the one that D means, and not one with its pid. */
static int
open_parent(pid_t pid, uint64_t start)
{
	int pidfd = sys_pidfd_open(pid);
	uint64_t found = 0;

	if (pidfd >= 0 && process_start(pid, &found, NULL) == 0 && found == start)
		return pidfd;
	if (pidfd >= 0)
		close(pidfd);
	errno = ESRCH;
	return -1;
}

/* Make the cell; returns the step that failed, or STEP_launch. */
static enum step
enclose(pid_t parent, uint64_t parent_start, char **argv)
{
	struct order order = { .report = -1,
			       .init = -1,
			       .out = -1,
			       .err = -1,
			       .into = -1,
			       .program = cell.init_program,
			       .namespaces = cell.namespaces };
	char *envp[] = { NULL };
	int reports[2], v2 = cell.cgroups.v2;
	enum step step;
	pid_t stage;

	/* Where PIDs are shared nobody but us can reap the orphans of this cell. */
	if (!(cell.namespaces & CLONE_NEWPID) && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return STEP_clone;
	if (parent > 0 && (order.init = open_parent(parent, parent_start)) < 0)
		return STEP_parent;
	if (!open_cgroups(&order))
		return STEP_cgroup;
	if (pipe2(reports, O_CLOEXEC) < 0)
		return STEP_pipe;
	order.report = reports[1];
	stage = stage_clone(v2 < 0 ? -1 : cell.cgroups.dir[v2], &order, argv, envp);
	close(reports[1]);
	if (stage < 0)
		return STEP_clone;
	step = await_init(reports[0], parent > 0 && cell.namespaces & CLONE_NEWPID ? 2 : 1);
	if (step != STEP_launch)
		return step;
	close(reports[0]);
	for (uint32_t i = 0; i < order.joins + order.leaves; i++)
		close(order.tasks[i]);
	if (order.into >= 0)
		close(order.into);
	if (order.init >= 0)
		close(order.init);
	return listen_for_callers() < 0 ? STEP_socket : STEP_launch;
}

/* ENCLOSE. Once only; a bad frame changes nothing. */
void
cell_enclose(uint32_t request, struct reader *in)
{
	char *argv[MAX_READ_ONLY + 4] = { NULL };
	char *directory, *logs, *paths[MAX_HIERARCHIES];
	uint32_t roles[MAX_HIERARCHIES] = { 0 }, count, parent, at = 3;
	uint64_t parent_start;
	enum step step;

	cell.namespaces = take_u32(in);
	argv[2] = take_text(in, 64);
	directory = take_text(in, 4096);
	logs = take_text(in, 4096);
	parent = take_u32(in);
	parent_start = take_u64(in);
	cell.segment_bytes = take_u64(in);
	cell.segments_kept = take_u32(in);
	count = take_count(in);
	if (count > MAX_READ_ONLY)
		in->bad = true;
	for (; count > 0 && !in->bad; count--)
		argv[at++] = take_text(in, 4096);
	count = take_count(in);
	if (count == 0 || count > MAX_HIERARCHIES)
		in->bad = true;
	for (uint32_t i = 0; i < count && !in->bad; i++) {
		roles[i] = take_u32(in);
		paths[i] = take_text(in, 4096);
	}
	if (!take_end(in) || cell.enclosed || cell.namespaces & ~(uint32_t)CELL_NAMESPACES ||
	    cell.segments_kept == 0) {
		in->bad = true;
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		int dir = open(paths[i], O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (dir < 0)
			give_up(request, STEP_cgroup, errno);
		cgroup_add(&cell.cgroups, dir, roles[i]);
	}
	cell.directory = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cell.logs = open(logs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (cell.directory < 0 || cell.logs < 0 ||
	    (mkdirat(cell.directory, "runs", 0700) < 0 && errno != EEXIST))
		give_up(request, STEP_log, errno);
	cell.runs_directory = openat(cell.directory, "runs", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (cell.runs_directory < 0)
		give_up(request, STEP_log, errno);
	step = enclose((pid_t)parent, parent_start, argv);
	if (step != STEP_launch)
		give_up(request, step, errno);
	cell.enclosed = true;
	cell_state(answer(ENCLOSED, request));
	answered();
}

/* END: no more starts; the rest is done by cell_settle() as things end. */
void
cell_end(uint32_t request, uint32_t grace_ms)
{
	int64_t deadline = clock_now(CLOCK_MONOTONIC) + grace_ms * MILLISECONDS;

	collect(); /* who has ended before this was not aborted by it */
	answer_failed(cell.end_request, ECANCELED, STEP_stop);
	cell.end_request = request;
	if (!cell.ending || deadline < cell.deadline)
		cell.deadline = deadline;
	cell.ending = true;
	wake_at(cell.deadline);
	run_stop_all(cell.deadline);
}

/* I has been reaped. When nobody asked for it, the cell is broken, and we serve what is left of it. */
void
cell_init_died(int how, int status)
{
	struct writer *out;

	cell.init = 0;
	if (cell.ending)
		return;
	cgroup_kill(&cell.cgroups, ".");
	if (cell.cgroups.v2 < 0)
		run_kill_all();
	out = answer(INIT_DIED, 0);
	put_u8(out, (uint8_t)how);
	put_u32(out, (uint32_t)status);
	answered();
}

/*
 * Bring the end forward. I is killed but never waited for: it stays in the kernel until we have reaped
 * the executables that live in its PID namespace.
 */
void
cell_settle(void)
{
	bool watched = cell.events >= 0;
	siginfo_t end;

	if (!cell.ending)
		return;
	if (!cell.killed) {
		if (!run_all_empty() && clock_now(CLOCK_MONOTONIC) < cell.deadline) {
			wake_at(cell.deadline);
			return;
		}
		cell.killed = true;
		if (cell.init > 0)
			sys_pidfd_signal(cell.init_pidfd, SIGKILL);
		cgroup_kill(&cell.cgroups, ".");
		run_kill_all();
	}
	if (cell.init > 0 || !run_all_empty())
		return;
	if (cgroup_populated(&cell.cgroups, ".", &cell.events)) {
		if (!watched && cell.events >= 0)
			watch(cell.events, EPOLLPRI, CELL_EVENTS, 0);
		return;
	}
	/* Who left the cgroup is about to be a zombie: reaped by us, it is gone when D hears of the end. */
	while (waitid(P_ALL, 0, &end, WEXITED) == 0 || errno == EINTR)
		;
	run_close_all();
	answer(ENDED, cell.end_request);
	answered();
	unlinkat(cell.directory, "s.sock", 0);
	leave(0);
}
