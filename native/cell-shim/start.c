/*
 * start.c - START: from the frame to the STARTED that says exec has succeeded, or to the step that failed.
 * Nothing here waits: the stage and the newcomer report through a pipe, whose end is the news.
 */
#include "supervisor.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#define PIPE_SIZE     (256 * 1024)

/* From linux/sched.h, in the flags of /proc/<pid>/stat: forked, but not yet exec'd. */
#define PF_FORKNOEXEC 0x40

/* Make one of a run's pipes and watch its reader; returns 0 or -1. */
static int open_pipe(struct run *run, int *reader, int32_t *writer, enum watched what)
{
	int pipe[2];

	if (pipe2(pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	*reader = pipe[0];
	*writer = pipe[1];
	/* Only our end does not block. Of reports only the end wakes us: then all have come. */
	if (fcntl(pipe[1], F_SETFL, 0) < 0)
		return -1;
	return watch(pipe[0], what == REPORT ? 0 : EPOLLIN, what, (uint32_t)(run - runs));
}

/* Clone the stage of a run, with pipes, log and cgroups; returns the step that failed, or STEP_launch. */
static enum step begin(struct run *run, struct order *order, char **argv, char **envp)
{
	if (log_open(&run->log) < 0)
		return STEP_log;
	if (open_pipe(run, &run->report, &order->fds[REPORT_PIPE], REPORT) < 0 ||
	    open_pipe(run, &run->streams[0].fd, &order->fds[OUT_PIPE], OUT) < 0 ||
	    open_pipe(run, &run->streams[1].fd, &order->fds[ERR_PIPE], ERR) < 0)
		return STEP_pipe;
	for (int i = 0; i < 2; i++)
		fcntl(run->streams[i].fd, F_SETPIPE_SZ, PIPE_SIZE); /* if not, a smaller one */
	if (!stage_groups(order, run->group) || FAILPOINT("start.2.pipes"))
		return STEP_cgroup;
	order->joins = order->tasks;
	return stage_clone(order, order->fds[INTO], argv, envp, &run->stage);
}

/* Take the strings of a list into `strings` from `at` on, and NULL after them; returns where that is. */
static uint32_t take_strings(struct reader *in, char **strings, uint32_t at, bool *too_many)
{
	for (uint32_t count = take_count(in); count > 0 && !in->bad; count--) {
		strings[at] = take_text(in, FRAME_MAX);
		*too_many |= at >= MAX_STRINGS;
		at += at < MAX_STRINGS;
	}
	strings[at] = NULL;
	return at;
}

/* START. Bad frames change nothing; the rest is answered when exec has succeeded, or cannot any more. */
void start_run(uint32_t request, struct reader *in)
{
	static char *strings[MAX_STRINGS + 2];
	struct order order = { .init = false };
	uint64_t id = take_u64(in);
	const char *executable = take_text(in, MAX_NAME);
	uint32_t arguments, end;
	bool too_many = false;
	struct run *run = NULL;
	enum step step = STEP_launch;
	int error = 0;

	memset(order.fds, -1, sizeof(order.fds));
	order.fds[PARENT] = cell.init_pidfd;
	arguments = take_strings(in, strings, 2, &too_many);
	end = take_strings(in, strings, arguments + 1, &too_many);
	strings[1] = take_text(in, 4096);
	order.uid = take_u32(in);
	order.gid = take_u32(in);
	/* The name becomes a directory of cgroups and one of logs. */
	in->bad |= !take_end(in) || *executable == 0 || *executable == '.' ||
		   strchr(executable, '/') || arguments == 2;
	if (in->bad)
		return;
	if (too_many)
		step = STEP_exec, error = E2BIG;
	else if (cell.ending)
		step = STEP_ended, error = ESHUTDOWN;
	else if (cell.init == 0)
		step = STEP_enter, error = ESRCH;
	else if (order.uid == UINT32_MAX || order.gid == UINT32_MAX)
		step = STEP_identity, error = EINVAL; /* -1 means "as it is" to setresuid(): root */
	else if (run_by_id(id))
		step = STEP_run, error = EEXIST;
	else if (!(run = run_acquire()))
		step = STEP_slots, error = EAGAIN;
	if (run) {
		run->record.run = id;
		strcpy(run->record.executable, executable);
		snprintf(run->group, sizeof(run->group), "x-%s", executable);
		run->start_request = request;
		step = begin(run, &order, strings, strings + arguments + 1);
		error = errno;
		order_close(&order);
		if (step != STEP_launch)
			run_release(run);
	}
	if (step != STEP_launch)
		answer_failed(request, step, error);
	give_back(strings, (end + 1) * sizeof(*strings));
}

/* Believe a reported pid only if it is a child of ours that is nobody else's: the cell may write too. */
static void adopt(struct run *run, pid_t pid)
{
	siginfo_t end;

	each_run(other)
		if (other->main == pid || other->stage == pid)
			return;
	/* Only we reap, so this pid cannot be another's yet. */
	if (run->main == 0 && pid > 0 && pid != cell.init &&
	    waitid(P_PID, (id_t)pid, &end, WEXITED | WNOHANG | WNOWAIT) == 0)
		run->main = FAILPOINT("start.reported") ? 0 : pid;
}

/*
 * The reports have ended: has exec happened? A child that was killed before it ends the pipe too, and
 * only the kernel can tell the difference.
 */
void resolve(struct run *run)
{
	struct record *record = &run->record;
	uint64_t flags = PF_FORKNOEXEC;
	struct writer *out;

	if (run->failed == STEP_launch &&
	    (run->main == 0 || (record->start = process_start(run->main, &flags)) == 0 ||
	     flags & PF_FORKNOEXEC || FAILPOINT("start.5.executed"))) {
		run->failed = STEP_killed;
		run->error = ESRCH;
	}
	if (run->failed != STEP_launch) {
		run_fail(run, run->failed, run->error);
		return;
	}
	unwatch(&run->report);
	run->state = RUNNING;
	record->pid = run->main;
	record->started_at = clock_now(CLOCK_REALTIME);
	record_write(&run->file, record); /* first: D tells who asked, and both D and we may die */
	out = answer(STARTED, run->start_request);
	put_u64(out, record->run);
	put_u32(out, (uint32_t)record->pid);
	put_u64(out, record->start);
	put_u64(out, (uint64_t)record->started_at);
	if (run->start_request > 0 && !FAILPOINT("start.written"))
		answered();
	if (run->stopping)
		cgroup_signal(run->group, run->stop_signal);
}

/* Read what stage and newcomer tell. Their end, wherever it is met, decides the start. */
void read_reports(struct run *run)
{
	struct report report;
	ssize_t n;

	for (int i = 0; i < 4 && run->report >= 0; i++) {
		n = read(run->report, &report, sizeof(report));
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n != (ssize_t)sizeof(report)) {
			resolve(run);
		} else if (report.what == REPORT_PID) {
			adopt(run, report.value);
		} else if (report.what > STEP_launch && report.what < REPORT_PID &&
			   run->failed == STEP_launch) {
			run->failed = (enum step)report.what;
			run->error = report.value;
		}
	}
}
