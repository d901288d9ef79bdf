/*
 * run.c - the life of a run: START makes it, its own end or STOP ends it, and when its processes are gone
 * and its pipes have ended it is forgotten.
 *
 *   STARTING --exec--> STARTED_UP: + EXITED, + EMPTY, + CLOSED --> FREE
 *       '-- a step failed --> FAILING: until nothing of it is left --> FREE
 */
#include "supervisor.h"

#include <sys/epoll.h>
#include <sys/wait.h>
#include <time.h>

#define REST          (MILLISECONDS / 5)   /* between small reads of a busy pipe */
#define SMALL         16384                /* a read below this is small */
#define FLOOD_IS_OVER (100 * MILLISECONDS) /* after the last read that was not */
#define PIPE_SIZE     (256 * 1024)
#define LOOK_KILLED   (10 * MILLISECONDS)
#define LOOK_EXITED   (250 * MILLISECONDS)

/* From linux/sched.h, in the flags of /proc/<pid>/stat: forked, but not yet exec'd. */
#define PF_FORKNOEXEC 0x40

static struct run runs[MAX_RUNS];
static uint32_t active[MAX_RUNS], active_count; /* the slots in use */
static _Alignas(4096) char lines[MAX_RUNS][2][MAX_LINE];
static int64_t trim_at = NEVER;

/* Find a run by its number; NULL when there is none that is not yet closed. */
static struct run *
run_by_id(uint64_t id)
{
	for (uint32_t i = 0; i < active_count; i++)
		if (runs[active[i]].record.run == id)
			return &runs[active[i]];
	return NULL;
}

/* Find the run whose main process, or stage, has this pid. */
static struct run *
run_by_pid(pid_t pid, bool stage)
{
	for (uint32_t i = 0; i < active_count; i++) {
		struct run *run = &runs[active[i]];

		if ((stage ? run->stage : run->main) == pid)
			return run;
	}
	return NULL;
}

static uint32_t
slot_of(const struct run *run)
{
	return (uint32_t)(run - runs);
}

/* Take a slot, the lowest, so that memory which was never touched stays so. NULL: all are in use. */
static struct run *
acquire(void)
{
	uint32_t slot = 0;
	struct run *run;

	while (slot < MAX_RUNS && runs[slot].state != FREE)
		slot++;
	if (slot == MAX_RUNS)
		return NULL;
	active[active_count++] = slot;
	run = &runs[slot];
	*run = (struct run){ .state = STARTING, .pidfd = -1, .report = -1, .events = -1 };
	for (int i = 0; i < 2; i++)
		run->streams[i] = (struct stream){ .fd = -1, .line = lines[slot][i] };
	run->log.fd = -1;
	return run;
}

/* Forget a run. One that never ran leaves no log. */
static void
release(struct run *run)
{
	uint32_t slot = slot_of(run), i = 0;

	log_close(&run->log, run->state != STARTED_UP && run->log.fd >= 0);
	unwatch(&run->report);
	unwatch(&run->events);
	unwatch(&run->pidfd);
	for (int stream = 0; stream < 2; stream++)
		unwatch(&run->streams[stream].fd);
	give_back(lines[slot], sizeof(lines[slot]));
	run->state = FREE;
	while (active[i] != slot)
		i++;
	active[i] = active[--active_count];
}

static void
put_run(struct writer *out, const struct run *run)
{
	uint8_t bytes[MAX_RECORD];
	size_t size = record_encode(&run->record, bytes, sizeof(bytes));

	put_u8(out, run->flags);
	put_u32(out, (uint32_t)size);
	put(out, bytes, size);
}

/* For STATE_IS: every run that D has had, or will have, a STARTED of. */
void
run_list(struct writer *out)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < active_count; i++)
		count += runs[active[i]].state == STARTED_UP;
	put_u32(out, count);
	for (uint32_t i = 0; i < active_count; i++)
		if (runs[active[i]].state == STARTED_UP)
			put_run(out, &runs[active[i]]);
}

/* The end of a pipe: nobody has it open for writing any more. */
static void
read_stream(struct run *run, int which, int64_t now)
{
	struct stream *stream = &run->streams[which];
	ssize_t n = log_read(&run->log, stream, which == 1);

	run->record.dropped = run->log.dropped;
	if (n == 0)
		unwatch(&stream->fd);
	stream->small = n < SMALL;
	stream->read_at = now;
	if (n >= SMALL) {
		trim_at = now + FLOOD_IS_OVER;
		wake_at(trim_at);
	}
}

/* Take in what is in the pipes now: no more than they hold, for another may be writing on. */
static void
drain(struct run *run)
{
	int64_t now = clock_now(CLOCK_MONOTONIC);

	for (int which = 0; which < 2; which++)
		for (int i = 0; i < 8 && run->streams[which].fd >= 0; i++) {
			read_stream(run, which, now);
			if (run->streams[which].small && run->streams[which].fd >= 0 && i > 0)
				break;
		}
}

/* Look whether a process is left, and if so be told when none is. */
static bool
populated(struct run *run)
{
	bool watched = run->events >= 0;
	bool some = cgroup_populated(&cell.cgroups, run->cgroup.is, &run->events);

	if (!some)
		unwatch(&run->events);
	else if (!watched && run->events >= 0)
		watch(run->events, EPOLLPRI, RUN_EVENTS, slot_of(run));
	else if (run->events < 0)
		wake_at(run->look_at = clock_now(CLOCK_MONOTONIC) +
				       (run->killed ? LOOK_KILLED : LOOK_EXITED));
	return some;
}

/* Find what is new of a run, and tell it: each flag once, those that come together in one frame. */
static void
update(struct run *run)
{
	if (run->state == STARTING)
		return;
	if (run->state == FAILING) {
		/* D removes x-... on FAILED, so nothing may be in it. */
		if (run->stage > 0 || run->main > 0 || populated(run))
			return;
		answer_failed(run->start_request, run->error, run->failed);
		answer_failed(run->stop_request, ESRCH, STEP_run);
		release(run);
		return;
	}
	if (run->flags & EXITED && !(run->flags & EMPTY)) {
		drain(run);
		if (!populated(run)) {
			drain(run);
			run->flags |= EMPTY;
		}
	}
	if (run->flags & EMPTY && run->streams[0].fd < 0 && run->streams[1].fd < 0)
		run->flags |= CLOSED;
	if (run->flags != run->told) {
		run->told = run->flags;
		put_run(answer(RUN, 0), run);
		answered();
	}
	if (run->flags & EMPTY && run->stop_request > 0) {
		put_u64(answer(STOPPED, run->stop_request), run->record.run);
		answered();
		run->stop_request = 0;
	}
	if (run->flags & CLOSED)
		release(run);
}

/* Give a start up: what there is of it is killed, and the answer comes when it has gone. */
static void
fail(struct run *run, enum step step, int error)
{
	run->state = FAILING;
	run->failed = step;
	run->error = error;
	run->killed = true;
	unwatch(&run->report);
	cgroup_kill(&cell.cgroups, run->cgroup.is);
	update(run);
}

/* Kill all that is in the run's directory, and the main process wherever it was moved to. */
static void
kill_tree(struct run *run)
{
	run->killed = true;
	cgroup_kill(&cell.cgroups, run->cgroup.is);
	if (run->pidfd >= 0)
		sys_pidfd_signal(run->pidfd, SIGKILL);
	update(run);
}

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
			fcntl(reader, F_SETPIPE_SZ,
			      PIPE_SIZE); /* refused: the smaller one will do */
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

/* Read what stage and newcomer tell. At the end the pipe is closed. */
static void
read_reports(struct run *run)
{
	struct report report;

	for (int i = 0; i < 4 && run->report >= 0; i++) {
		ssize_t n = read(run->report, &report, sizeof(report));

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n != (ssize_t)sizeof(report)) {
			unwatch(&run->report);
		} else if (report.what == REPORT_PID) {
			adopt(run, report.value);
		} else if (report.what > STEP_launch && report.what < REPORT_PID &&
			   run->failed == STEP_launch) {
			run->failed = (enum step)report.what;
			run->error = report.value;
		}
	}
}

/*
 * The reports have ended: has exec happened? A child that was killed before it ends the pipe too, and
 * only the kernel can tell the difference.
 */
static void
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
	record_write(cell.runs_directory, record); /* the event is the truth, this a copy */
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

/* The main process has ended: say how and why, before its pid is given away. */
static void
exited(struct run *run, const siginfo_t *end)
{
	struct record *record = &run->record;
	bool by_exit = end->si_code == CLD_EXITED;

	record->ended_at = clock_now(CLOCK_REALTIME);
	record->how = by_exit ? 1 : 2;
	record->status = end->si_status;
	record->core = end->si_code == CLD_DUMPED;
	cgroup_usage(&cell.cgroups, run->cgroup.is, &record->usage);
	if (run->stopping)
		record->reason = ABORTED;
	else if (record->usage.value[OOM_KILLS] > 0 &&
		 (by_exit ? end->si_status != 0 : end->si_status == SIGKILL))
		record->reason = BY_OOM;
	else
		record->reason = by_exit ? BY_EXIT : BY_SIGNAL;
	drain(run);
	record_write(cell.runs_directory, record);
	run->flags |= EXITED;
}

/* Reap a stage if it has ended; returns whether it still lives. */
static bool
stage_lives(struct run *run)
{
	siginfo_t end = { .si_pid = 0 };

	if (run->stage > 0 && waitid(P_PID, (id_t)run->stage, &end, WEXITED | WNOHANG) == 0 &&
	    end.si_pid == run->stage)
		run->stage = 0;
	return run->stage > 0;
}

/* Read all reports; returns whether a stage lives that has not told of its newcomer. */
static bool
newcomer_is_due(void)
{
	bool due = false;

	for (uint32_t i = 0; i < active_count; i++) {
		struct run *run = &runs[active[i]];

		if (run->state != STARTING)
			continue;
		due |= stage_lives(run) && run->main == 0;
		read_reports(run);
	}
	return due;
}

/*
 * Record every end that is due, then reap. A child that nobody knows is a newcomer whose report is still
 * to come, so it waits; or, where no stage is under way, an orphan: of a stage that was killed, or of
 * a cell without a PID namespace, whose reaper we are.
 */
void
collect(void)
{
	for (;;) {
		siginfo_t end = { .si_pid = 0 };
		struct run *run;

		if (waitid(P_ALL, 0, &end, WEXITED | WNOHANG | WNOWAIT) < 0 || end.si_pid == 0)
			return;
		run = run_by_pid(end.si_pid, true);
		if (run) {
			stage_lives(run);
			read_reports(run);
			update(run);
			continue;
		}
		run = run_by_pid(end.si_pid, false);
		if (!run && end.si_pid != cell.init) {
			if (newcomer_is_due())
				return;
			run = run_by_pid(end.si_pid, false);
		}
		if (run && run->state == STARTING) {
			/* The stage closes the reports at once; whoever else has them does not matter. */
			if (stage_lives(run))
				return;
			read_reports(run);
			resolve(run);
			if (run->state == FREE)
				continue;
		}
		if (run && run->state == STARTED_UP)
			exited(run, &end);
		waitid(P_PID, (id_t)end.si_pid, &end, WEXITED);
		if (run) {
			run->main = 0;
			unwatch(&run->pidfd);
			update(run);
		} else if (end.si_pid == cell.init) {
			cell_init_died(end.si_code == CLD_EXITED ? 1 : 2, end.si_status);
		}
	}
}

/* Ask a run to end by `deadline`; asked again, the nearer deadline holds. */
static void
stop(struct run *run, uint32_t number, int64_t deadline)
{
	if (!run->stopping || deadline < run->deadline)
		run->deadline = deadline;
	run->stopping = true;
	run->stop_signal = number;
	wake_at(run->deadline);
	/* One that is still on its way in gets the signal when it is there. */
	if (run->state == STARTED_UP && !(run->flags & EMPTY))
		cgroup_signal(&cell.cgroups, run->cgroup.is, (int)number);
	update(run);
}

/* STOP. An end that has come already is collected first: it was not our doing. */
void
run_stop(uint32_t request, uint64_t id, uint32_t number, uint32_t grace_ms)
{
	struct run *run;

	collect();
	run = run_by_id(id);
	if (!run || run->state == FAILING || number == 0 || number >= _NSIG) {
		answer_failed(request, run ? EINVAL : ESRCH, STEP_run);
		return;
	}
	answer_failed(run->stop_request, ECANCELED, STEP_stop);
	run->stop_request = request;
	stop(run, number, clock_now(CLOCK_MONOTONIC) + grace_ms * MILLISECONDS);
}

/* SIGNAL: to the main process alone. */
void
run_signal(uint32_t request, uint64_t id, uint32_t number)
{
	struct run *run = run_by_id(id);

	if (!run || run->state != STARTED_UP || run->pidfd < 0)
		answer_failed(request, ESRCH, STEP_run);
	else if (sys_pidfd_signal(run->pidfd, (int)number) < 0)
		answer_failed(request, errno, STEP_run);
	else {
		answer(DONE, request);
		answered();
	}
}

/* An event of epoll. That of a slot which is free by now, or another's, finds nothing to do. */
void
run_event(enum watched what, uint32_t slot, uint32_t events)
{
	struct run *run = &runs[slot];

	if (run->state == FREE)
		return;
	if (what == REPORT) {
		read_reports(run);
		if (run->state == STARTING && run->report < 0)
			resolve(run);
		collect(); /* an end may have waited for this */
	} else if (what == RUN_EVENTS) {
		update(run);
	} else {
		struct stream *stream = &run->streams[what == ERR];
		int64_t now = clock_now(CLOCK_MONOTONIC);

		/* A program that writes line by line would wake us for each: let some more come. */
		if (!(events & EPOLLHUP) && stream->small && now - stream->read_at < REST) {
			stream->resting = true;
			rest(stream->fd, what, slot, true);
			wake_at(stream->read_at + REST);
		} else if (stream->fd >= 0) {
			read_stream(run, what == ERR, now);
			if (stream->fd < 0)
				update(run);
		}
	}
}

/* Do what is due, and ask to be woken for what is not. */
void
run_tick(int64_t now)
{
	for (uint32_t i = active_count; i-- > 0;) {
		struct run *run = &runs[active[i]];

		for (int which = 0; which < 2; which++) {
			struct stream *stream = &run->streams[which];

			if (!stream->resting)
				continue;
			stream->resting = now < stream->read_at + REST;
			if (stream->resting)
				wake_at(stream->read_at + REST);
			else if (stream->fd >= 0)
				rest(stream->fd, which ? ERR : OUT, slot_of(run), false);
		}
		if (run->look_at > 0 && now >= run->look_at) {
			run->look_at = 0;
			if (run->killed)
				cgroup_kill(&cell.cgroups, run->cgroup.is);
			update(run);
		} else if (run->look_at > 0) {
			wake_at(run->look_at);
		}
		if (run->state == FREE || !run->stopping || run->killed)
			continue;
		if (now >= run->deadline)
			kill_tree(run);
		else
			wake_at(run->deadline);
	}
	if (now >= trim_at) {
		log_trim();
		trim_at = NEVER;
	}
	wake_at(trim_at);
}

/* END: stop them all. */
void
run_stop_all(int64_t deadline)
{
	for (uint32_t i = active_count; i-- > 0;)
		stop(&runs[active[i]], SIGTERM, deadline);
}

/* Kill them all. */
void
run_kill_all(void)
{
	for (uint32_t i = active_count; i-- > 0;)
		kill_tree(&runs[active[i]]);
}

/* Returns whether no process of any run is left, and none is on its way. */
bool
run_all_empty(void)
{
	for (uint32_t i = 0; i < active_count; i++)
		if (!(runs[active[i]].flags & EMPTY))
			return false;
	return true;
}

/* The cell is gone: who holds a pipe now is not of it, and is not waited for. */
void
run_close_all(void)
{
	for (uint32_t i = active_count; i-- > 0;) {
		struct run *run = &runs[active[i]];

		unwatch(&run->streams[0].fd);
		unwatch(&run->streams[1].fd);
		update(run);
	}
}

/* Request numbers are the connection's, and it has gone. */
void
run_forget_requests(void)
{
	for (uint32_t i = 0; i < active_count; i++)
		runs[active[i]].start_request = runs[active[i]].stop_request = 0;
}
