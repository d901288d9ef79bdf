/*
 * cell.c - the life of the cell: made by ENCLOSE, ended by END, or broken by the death of its init. The
 * only place where the supervisor forks, and what it forks execs at once.
 */
#include "supervisor.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#define ENCLOSE_TIMEOUT_MS 30000
#define LOOK_AGAIN         (10 * MILLISECONDS)

struct cell cell = { .events = -1, .init_pidfd = -1, .v2 = -1, .freezer = -1 };

/*
 * Read field 22 of /proc/<pid>/stat, the start in clock ticks, and field 9, the flags; both can be read
 * of a zombie too. Returns the start, or 0 when there is no such process.
 */
uint64_t process_start(pid_t pid, uint64_t *flags)
{
	char directory[32], text[PAGE];
	uint64_t fields[23] = { 0 };
	const char *at;

	snprintf(directory, sizeof(directory), "/proc/%d", pid);
	read_at(AT_FDCWD, directory, "stat", text);
	/* Field 2 is a name in parentheses, and may contain any of this; field 3 is a letter. */
	at = strrchr(text, ')');
	for (int i = 3; at && i <= 22 && (at = strchr(at + 1, ' ')); i++)
		fields[i] = strtoull(at, NULL, 10);
	*flags = fields[9];
	return fields[22];
}

/* Add to an order what joining the cgroups of a directory needs: `tasks` on v1, itself on v2. */
bool stage_groups(struct order *order, const char *child)
{
	for (uint32_t i = 0; i < cell.groups; i++) {
		bool v2 = (int)i == cell.v2;
		int fd = open_at(cell.group[i], v2 ? O_PATH | O_DIRECTORY : O_WRONLY, "%s/%s",
				 child, v2 ? "." : "tasks");

		if (fd < 0)
			return false;
		order->fds[v2 ? INTO : TASKS + (int)order->tasks++] = fd;
	}
	return true;
}

/*
 * Clone the stage into a v2 directory (7 us; a write to cgroup.procs waits milliseconds) and exec it
 * with the order's descriptors and no other. argv has a place for its name. A fork, no vfork: that
 * would wait for a child which the cell's CPU quota or freezer may hold already.
 */
enum step stage_clone(struct order *order, int group, char **argv, char **envp, pid_t *stage)
{
	int pipe[2];

	argv[0] = "aurae-stage";
	*stage = sys_clone(0, group);
	if (*stage == 0) {
		for (int i = 0; i < FDS; i++)
			if (order->fds[i] >= 0)
				fcntl(order->fds[i], F_SETFD, 0);
		if (pipe2(pipe, O_CLOEXEC) == 0 && dup2(pipe[0], ORDER_FD) >= 0 &&
		    write(pipe[1], order, sizeof(*order)) == (ssize_t)sizeof(*order))
			syscall(SYS_execveat, cell.stage_program, "", argv, envp, AT_EMPTY_PATH);
		tell(order->fds[REPORT_PIPE], errno == E2BIG ? STEP_exec : STEP_clone, errno);
		_exit(1);
	}
	return *stage < 0 || FAILPOINT("stage.cloned") ? STEP_clone : STEP_launch;
}

/* Close what was opened for an order: all but the parent's I. */
void order_close(const struct order *order)
{
	for (int i = 0; i < FDS; i++)
		if (order->fds[i] >= 0 && i != PARENT)
			close(order->fds[i]);
}

/* The part of ENCLOSED and STATE_IS that says who we are. */
void cell_state(struct writer *out)
{
	uint64_t flags;

	put_u32(out, (uint32_t)getpid());
	put_u64(out, process_start(getpid(), &flags));
	put_u32(out, (uint32_t)cell.init);
	put_u64(out, cell.init_start);
}

/* Wait for the ends of all children: none is left to wait for. */
static void reap_all(void)
{
	siginfo_t end;

	while (waitid(P_ALL, 0, &end, WEXITED) == 0 || errno == EINTR)
		;
}

/* Listen where the D of tomorrow looks for us. By descriptor: a path may be longer than 108 bytes. */
static int listen_for_callers(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(name.sun_path, sizeof(name.sun_path), "/proc/self/fd/%d/s.sock", cell.directory);
	unlinkat(cell.directory, "s.sock", 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0 ||
	    fchmodat(cell.directory, "s.sock", 0600, 0) < 0 || listen(fd, 8) < 0)
		return -1;
	cell.listener = fd;
	return FAILPOINT("enclose.bound") ? -1 : watch(fd, EPOLLIN, LISTENER, 0);
}

/*
 * Wait until I is ready, and find it: nobody else is in _init. A pid that a stage inside of the parent
 * tells would be one of the parent's namespace. Returns the step that failed, or STEP_launch.
 */
static enum step await_init(int reports, int stages)
{
	struct pollfd pipe = { .fd = reports, .events = POLLIN };
	struct report report = { .what = STEP_killed, .value = ESRCH };
	uint64_t flags, pid = 0;
	char text[PAGE];
	siginfo_t end;
	int n;

	do
		n = poll(&pipe, 1, ENCLOSE_TIMEOUT_MS);
	while ((n < 0 || (n > 0 && read(reports, &report, sizeof(report)) < 0)) && errno == EINTR);
	if (n == 0)
		report = (struct report){ STEP_clone, ETIMEDOUT };
	close(reports);
	errno = report.value;
	if (report.what != REPORT_READY)
		return (enum step)report.what;
	/* The stages had I as their last work, and only have to be reaped. */
	while (stages > 0)
		stages -= waitid(P_ALL, 0, &end, WEXITED) == 0;
	read_at(cell.group[cell.members], "_init", "cgroup.procs", text);
	if (!text_value(text, "", &pid) ||
	    waitid(P_PID, (id_t)pid, &end, WEXITED | WNOHANG | WNOWAIT) < 0)
		return STEP_killed;
	cell.init = (pid_t)pid;
	cell.init_pidfd = sys_pidfd_open(cell.init);
	cell.init_start = process_start(cell.init, &flags);
	return cell.init_pidfd < 0 || cell.init_start == 0 ? STEP_killed : STEP_launch;
}

/* Make the cell; returns the step that failed, or STEP_launch. */
static enum step enclose(pid_t parent, uint64_t parent_start, char **argv)
{
	struct order order = { .init = true, .namespaces = cell.namespaces };
	char *envp[] = { NULL };
	enum step step;
	uint64_t flags;
	int reports[2];
	pid_t stage;

	memset(order.fds, -1, sizeof(order.fds));
	/* Where PIDs are shared nobody but us can reap the orphans of this cell. */
	if (!(cell.namespaces & CLONE_NEWPID) && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return STEP_clone;
	/* The parent's I, that D means, and not another with its pid: so opened first, looked at then. */
	order.fds[PARENT] = parent > 0 ? sys_pidfd_open(parent) : -1;
	if (parent > 0 &&
	    (order.fds[PARENT] < 0 || process_start(parent, &flags) != parent_start)) {
		errno = ESRCH;
		return STEP_parent;
	}
	if (!stage_groups(&order, "."))
		return STEP_cgroup;
	order.joins = order.tasks;
	if (order.fds[INTO] >= 0)
		close(order.fds[INTO]);
	if (!stage_groups(&order, "_init"))
		return STEP_cgroup;
	if (pipe2(reports, O_CLOEXEC) < 0)
		return STEP_pipe;
	order.fds[REPORT_PIPE] = reports[1];
	step = stage_clone(&order, cell.v2 < 0 ? -1 : cell.group[cell.v2], argv, envp, &stage);
	if (step != STEP_launch)
		return step;
	order_close(&order);
	step = await_init(reports[0], parent > 0 && cell.namespaces & CLONE_NEWPID ? 2 : 1);
	if (order.fds[PARENT] >= 0)
		close(order.fds[PARENT]);
	if (step != STEP_launch)
		return step;
	return FAILPOINT("enclose.ready") || listen_for_callers() < 0 ? STEP_socket : STEP_launch;
}

/* Open the directories of ENCLOSE; returns the step that failed, or STEP_launch. */
static enum step open_directories(char *const *groups, const char *directory, const char *logs)
{
	const int flags = O_PATH | O_DIRECTORY | O_CLOEXEC;

	for (uint32_t i = 0; i < cell.groups; i++) {
		cell.group[i] = open(groups[i], flags);
		if (cell.group[i] < 0)
			return STEP_cgroup;
		if (cell.roles[i] & ROLE_V2)
			cell.v2 = (int)i;
		else if (cell.roles[i] & ROLE_FREEZER)
			cell.freezer = (int)i;
	}
	cell.members = cell.v2 >= 0 ? cell.v2 : cell.freezer >= 0 ? cell.freezer : 0;
	hold_spare();
	cell.directory = open(directory, flags);
	cell.logs = open(logs, flags);
	if (cell.logs < 0 || (mkdirat(cell.directory, "runs", 0700) < 0 && errno != EEXIST))
		return STEP_log;
	cell.runs = openat(cell.directory, "runs", flags);
	return cell.runs < 0 ? STEP_log : STEP_launch;
}

/* ENCLOSE. Once only; a bad frame changes nothing. When a step fails, what was made goes, and so do we. */
void cell_enclose(uint32_t request, struct reader *in)
{
	char *argv[MAX_READ_ONLY + 3] = { NULL };
	char *directory, *logs, *groups[MAX_HIERARCHIES];
	uint32_t count, parent;
	uint64_t parent_start;
	enum step step;
	int error;

	cell.namespaces = take_u32(in);
	argv[1] = take_text(in, 64);
	directory = take_text(in, 4096);
	logs = take_text(in, 4096);
	parent = take_u32(in);
	parent_start = take_u64(in);
	cell.segment_bytes = take_u64(in);
	cell.segments_kept = take_u32(in);
	count = take_count(in);
	in->bad |= count > MAX_READ_ONLY || cell.segments_kept == 0;
	for (uint32_t i = 0; i < count && !in->bad; i++)
		argv[2 + i] = take_text(in, 4096);
	count = take_count(in);
	in->bad |= count == 0 || count > MAX_HIERARCHIES;
	for (uint32_t i = 0; i < count && !in->bad; i++) {
		cell.roles[i] = take_u32(in);
		groups[i] = take_text(in, 4096);
	}
	in->bad |= !take_end(in) || cell.namespaces & ~(uint32_t)CELL_NAMESPACES;
	if (in->bad)
		return;
	cell.groups = count;
	step = open_directories(groups, directory, logs);
	if (step == STEP_launch)
		step = enclose((pid_t)parent, parent_start, argv);
	if (step == STEP_launch) {
		cell.enclosed = true;
		cell_state(answer(ENCLOSED, request));
		answered();
		return;
	}
	error = errno;
	cgroup_kill(".");
	cgroup_kill("_init"); /* v1 does not kill what is below */
	reap_all();
	answer_failed(request, step, error);
	_exit(1);
}

/* END: no more starts; the rest is done by cell_tick() as things end. */
void cell_end(uint32_t request, uint32_t grace_ms)
{
	int64_t deadline = clock_now(CLOCK_MONOTONIC) + grace_ms * MILLISECONDS;

	collect(); /* who has ended before this was not aborted by it */
	answer_failed(cell.end_request, STEP_stop, ECANCELED);
	cell.end_request = request;
	if (!cell.ending || deadline < cell.deadline)
		cell.deadline = deadline;
	cell.ending = true;
	cell.killed = false; /* asked again, it kills again */
	each_run(run)
		run_stop(run, SIGTERM, cell.deadline);
}

/* I has been reaped. When nobody asked for it, the cell is broken, and we serve what is left of it. */
void cell_init_died(int how, int status)
{
	struct writer *out;

	cell.init = 0;
	if (cell.ending)
		return;
	cgroup_kill(".");
	if (cell.v2 < 0)
		each_run(run)
			run_kill(run);
	out = answer(INIT_DIED, 0);
	put_u8(out, (uint8_t)how);
	put_u32(out, (uint32_t)status);
	answered();
}

/*
 * Bring the end forward, and return when to come again. I is killed but never waited for: it stays in
 * the kernel until we have reaped the executables that live in its PID namespace.
 */
int64_t cell_tick(int64_t now)
{
	bool watched = cell.events >= 0;

	if (!cell.ending)
		return NEVER;
	if (!cell.killed) {
		if (!run_none_left() && now < cell.deadline)
			return cell.deadline;
		cell.killed = true;
		if (cell.init > 0 && !FAILPOINT("free.ending"))
			kill(cell.init, SIGKILL); /* only we reap, so it has this pid still */
		cgroup_kill(".");
		each_run(run)
			run_kill(run);
		(void)FAILPOINT("free.3.killed");
	}
	if (cell.init > 0 || !run_none_left())
		return NEVER;
	if (cgroup_populated(".", &cell.events) || FAILPOINT("free.4.empty")) {
		if (!watched && cell.events >= 0)
			watch(cell.events, EPOLLPRI, CELL_EVENTS, 0);
		return cell.events >= 0 ? NEVER : now + LOOK_AGAIN;
	}
	/* Who left the cgroup is about to be a zombie: reaped by us, it is gone when D hears of the end. */
	reap_all();
	each_run(run) {
		/* Who holds a pipe now is not of the cell, and is not waited for. */
		unwatch(&run->streams[0].fd);
		unwatch(&run->streams[1].fd);
		run_update(run);
	}
	unlinkat(cell.directory, "s.sock", 0);
	answer(ENDED, cell.end_request);
	if (cell.end_request > 0 && !FAILPOINT("free.leaving"))
		answered();
	_exit(0);
}
