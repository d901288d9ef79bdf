/*
 * start.c - START: from the frame to the STARTED that says exec has succeeded, or to the step that failed.
 * Nothing here waits: the stage and the newcomer report through a pipe, whose end is the news.
 */
#include "supervisor.h"

#include <sys/epoll.h>
#include <sys/wait.h>

#define PIPE_SIZE     (256 * 1024)

/* From linux/sched.h, in the flags of /proc/<pid>/stat: forked, but not yet exec'd. */
#define PF_FORKNOEXEC 0x40

/* The pipes, the log and the cgroup files of a start; returns the step that failed, or none. */
static enum step
prepare(struct run *run, struct order *order, int *into)
{
	int pipes[3][2], reader;

	run->log.dir = cell.logs;
	run->log.record = &run->record;
	run->log.segment_bytes = cell.segment_bytes;
	run->log.kept = cell.segments_kept;
	if (log_open(&run->log) < 0)
		return STEP_log;
	for (int i = 0; i < 3; i++) {
		enum watched what = i == 0 ? REPORT : i == 1 ? OUT : ERR;

		if (pipe2(pipes[i], O_CLOEXEC) < 0)
			return STEP_pipe;
		reader = pipes[i][0];
		*(i == 0 ? &order->report : i == 1 ? &order->out : &order->err) = pipes[i][1];
		*(i == 0 ? &run->report : &run->streams[i - 1].fd) = reader;
		/* Of reports only the end wakes us: then all have come. */
		if (fcntl(reader, F_SETFL, O_NONBLOCK) < 0 ||
		    watch(reader, i == 0 ? 0 : EPOLLIN, what, slot_of(run)) < 0)
			return STEP_pipe;
		if (i > 0)
			fcntl(reader, F_SETPIPE_SZ, PIPE_SIZE); /* if not: a smaller one will do */
	}
	for (int i = 0; i < (int)cell.cgroups.count; i++) {
		bool v2 = i == cell.cgroups.v2;
		int fd = cgroup_open(&cell.cgroups, i, run->cgroup.is, v2 ? "." : "tasks",
				     v2 ? O_PATH | O_DIRECTORY : O_WRONLY);

		if (fd < 0)
			return STEP_cgroup;
		if (v2)
			*into = fd;
		else
			order->tasks[order->joins++] = fd;
	}
	return STEP_launch;
}

/* Clone the stage of a run. argv has two places before the working directory, for its name and order. */
static void
begin(struct run *run, uint32_t request, uint32_t uid, uint32_t gid, char **argv, char **envp)
{
	struct order order = { .report = -1,
			       .init = cell.init_pidfd,
			       .out = -1,
			       .err = -1,
			       .program = -1,
			       .into = -1,
			       .uid = uid,
			       .gid = gid };
	int into = -1, error;
	enum step step;

	run->start_request = request;
	step = prepare(run, &order, &into);
	if (step == STEP_launch) {
		run->stage = stage_clone(into, &order, argv, envp);
		if (run->stage < 0)
			step = STEP_clone;
	}
	error = errno;
	for (uint32_t i = 0; i < order.joins; i++)
		close(order.tasks[i]);
	for (int *fd = (int[]){ into, order.report, order.out, order.err, -2 }; *fd != -2; fd++)
		if (*fd >= 0)
			close(*fd);
	if (step != STEP_launch) {
		run->stage = 0;
		answer_failed(request, error, step);
		release(run);
	}
}

/* START. Bad frames change nothing; the rest is answered when exec has succeeded, or cannot any more. */
void
run_start(uint32_t request, struct reader *in)
{
	static char *strings[MAX_STRINGS + 8];
	uint64_t id = take_u64(in);
	const char *executable = take_text(in, MAX_NAME);
	uint32_t at = 3, environment = 0, uid, gid;
	struct run *run = NULL;
	enum step step = STEP_launch;
	int error = 0;

	/* The name becomes a directory of cgroups and one of logs. */
	if (*executable == 0 || *executable == '.' || strchr(executable, '/'))
		in->bad = true;
	for (int list = 0; list < 2; list++) {
		uint32_t count = take_count(in);

		if (list == 0 && count == 0)
			in->bad = true;
		for (; count > 0 && !in->bad; count--) {
			strings[at] = take_text(in, FRAME_MAX);
			if (at < MAX_STRINGS + 4)
				at++;
			else
				error = E2BIG;
		}
		strings[at++] = NULL;
		if (list == 0)
			environment = at;
	}
	strings[2] = take_text(in, 4096);
	uid = take_u32(in);
	gid = take_u32(in);
	if (!take_end(in)) {
		in->bad = true;
		return;
	}
	if (error == E2BIG)
		step = STEP_exec;
	else if (cell.ending)
		step = STEP_ended, error = ESHUTDOWN;
	else if (cell.init == 0)
		step = STEP_enter, error = ESRCH;
	else if (uid == UINT32_MAX ||
		 gid == UINT32_MAX) /* to setresuid() -1 means "as it is": root */
		step = STEP_identity, error = EINVAL;
	else if (run_by_id(id))
		step = STEP_run, error = EEXIST;
	else if (!(run = acquire()))
		step = STEP_slots, error = EAGAIN;
	if (!run) {
		answer_failed(request, error, step);
		return;
	}
	run->record.run = id;
	strcpy(run->record.executable, executable);
	join(&run->cgroup, "x-", executable, "");
	begin(run, request, uid, gid, strings, strings + environment);
	give_back(strings, sizeof(strings));
}

/* Believe a reported pid only if it is a child of ours that is nobody else's: the cell may write too. */
static void
adopt(struct run *run, pid_t pid)
{
	siginfo_t end;

	if (run->main > 0 || pid <= 0 || pid == cell.init || run_by_pid(pid, true) ||
	    run_by_pid(pid, false) ||
	    waitid(P_PID, (id_t)pid, &end, WEXITED | WNOHANG | WNOWAIT) < 0)
		return;
	/* Only we reap, so this pid cannot be another's yet. */
	run->main = pid;
	run->pidfd = sys_pidfd_open(pid);
	if (run->pidfd < 0 && run->failed == STEP_launch) {
		run->failed = STEP_clone;
		run->error = errno;
	}
}

/*
 * The reports have ended: has exec happened? A child that was killed before it ends the pipe too, and
 * only the kernel can tell the difference.
 */
void
resolve(struct run *run)
{
	struct record *record = &run->record;
	uint64_t flags = PF_FORKNOEXEC;

	if (run->failed == STEP_launch &&
	    (run->main == 0 || process_start(run->main, &record->start, &flags) < 0 ||
	     flags & PF_FORKNOEXEC)) {
		run->failed = STEP_killed;
		run->error = ESRCH;
	}
	if (run->failed != STEP_launch) {
		fail(run, run->failed, run->error);
		return;
	}
	unwatch(&run->report);
	run->state = STARTED_UP;
	record->pid = run->main;
	record->started_at = clock_now(CLOCK_REALTIME);
	record_write(&run->file, cell.runs_directory,
		     record); /* the event is the truth, this a copy */
	if (run->start_request > 0) {
		struct writer *out = answer(STARTED, run->start_request);

		put_u64(out, record->run);
		put_u32(out, (uint32_t)record->pid);
		put_u64(out, record->start);
		put_u64(out, (uint64_t)record->started_at);
		answered();
	}
	if (run->stopping)
		cgroup_signal(&cell.cgroups, run->cgroup.is, (int)run->stop_signal);
}

/* Read what stage and newcomer tell. Their end, wherever it is met, decides the start. */
void
read_reports(struct run *run)
{
	struct report report;

	for (int i = 0; i < 4 && run->report >= 0; i++) {
		ssize_t n = read(run->report, &report, sizeof(report));

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n != (ssize_t)sizeof(report)) {
			resolve(run);
			return;
		} else if (report.what == REPORT_PID) {
			adopt(run, report.value);
		} else if (report.what > STEP_launch && report.what < REPORT_PID &&
			   run->failed == STEP_launch) {
			run->failed = (enum step)report.what;
			run->error = report.value;
		}
	}
}
