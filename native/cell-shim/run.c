/*
 * run.c - the life of a run: START makes it, its own end or STOP ends it, and when its processes are gone
 * and its pipes have ended it is forgotten.
 *
 *   STARTING --exec--> RUNNING: + EXITED, + EMPTY, + COMPLETE --> FREE
 *       '-- a step failed --> FAILING: until nothing of it is left --> FREE
 */
#include "supervisor.h"

#include <sys/epoll.h>
#include <sys/wait.h>

#define LOOK_KILLED (10 * MILLISECONDS) /* where no event tells that a cgroup is empty */
#define LOOK_EXITED (250 * MILLISECONDS)
#define MOMENT      (5 * MILLISECONDS) /* in which a tree mostly follows its main process */

struct run runs[MAX_RUNS];
uint32_t slots;
static _Alignas(PAGE) char lines[MAX_RUNS][2][MAX_LINE];

/* Find a run by its number; NULL when there is none that is not yet closed. */
struct run *run_by_id(uint64_t id)
{
	each_run(run)
		if (run->record.run == id)
			return run;
	return NULL;
}

/* Take a slot, the lowest, so that memory which was never touched stays so. NULL: all are in use. */
struct run *run_acquire(void)
{
	struct run *run = runs;

	while (run < runs + MAX_RUNS && run->state != FREE)
		run++;
	if (run == runs + MAX_RUNS)
		return NULL;
	if (run == runs + slots)
		slots++;
	*run = (struct run){ .state = STARTING, .report = -1, .events = -1, .file = -1 };
	for (int i = 0; i < 2; i++)
		run->streams[i] = (struct stream){ .fd = -1, .line = lines[run - runs][i] };
	run->log = (struct log){ .fd = -1, .record = &run->record };
	return run;
}

/* Forget a run. One that never ran leaves no log. */
void run_release(struct run *run)
{
	log_close(&run->log, run->state != RUNNING);
	unwatch(&run->report);
	unwatch(&run->events);
	unwatch(&run->streams[0].fd);
	unwatch(&run->streams[1].fd);
	if (run->file >= 0)
		close(run->file);
	give_back(lines[run - runs], sizeof(lines[0]));
	run->state = FREE;
}

/* For STATE_IS: every run that D has had, or will have, a STARTED of. */
void run_list(struct writer *out)
{
	uint32_t count = 0;

	each_run(run)
		count += run->state == RUNNING;
	put_u32(out, count);
	each_run(run) {
		if (run->state != RUNNING)
			continue;
		put_u8(out, run->flags);
		record_put(out, &run->record);
	}
}

/* Read a pipe once; returns whether there may be more. 0 is its end: nobody can write to it any more. */
static bool read_stream(struct run *run, int which)
{
	struct stream *stream = &run->streams[which];
	ssize_t n = stream->fd < 0 ? -1 : log_read(&run->log, stream, which == 1);

	if (n == 0)
		unwatch(&stream->fd);
	return n > 0;
}

/* Take in what is in the pipes now: no more than they hold, for another may be writing on. */
static void drain(struct run *run)
{
	for (int which = 0; which < 2; which++)
		for (int i = 0; i < 8 && read_stream(run, which); i++)
			;
}

/* Look whether a process is left, and if so be told when none is. */
static bool populated(struct run *run)
{
	bool watched = run->events >= 0;
	bool some = cgroup_populated(run->group, &run->events);

	if (!some)
		unwatch(&run->events);
	else if (run->events < 0)
		run->look_at =
			clock_now(CLOCK_MONOTONIC) + (run->killed ? LOOK_KILLED : LOOK_EXITED);
	else if (!watched)
		watch(run->events, EPOLLPRI, RUN_EVENTS, (uint32_t)(run - runs));
	return some;
}

/* Find what is new of a run, and tell it: each flag once, those that come together in one frame. */
void run_update(struct run *run)
{
	struct writer *out;

	if (run->state == FREE || run->state == STARTING)
		return;
	if (run->state == FAILING) {
		/* D removes x-... on FAILED, so nothing may be in it. */
		if (run->stage > 0 || run->main > 0 || populated(run))
			return;
		run_release(run); /* first: nothing is left when D hears of it */
		answer_failed(run->start_request, run->failed, run->error);
		answer_failed(run->stop_request, STEP_run, ESRCH);
		return;
	}
	if (run->flags & EXITED && !(run->flags & EMPTY) && !populated(run)) {
		drain(run);
		run->flags |= EMPTY;
	}
	if (run->flags & EXITED && run->streams[0].fd < 0 && run->streams[1].fd < 0)
		run->flags |= COMPLETE;
	/* One frame for both ends wakes D once; and who starts the name again finds its tree gone. */
	if (run->told == 0 && run->flags & EXITED && !(run->flags & EMPTY) &&
	    clock_now(CLOCK_MONOTONIC) < run->exited_at + MOMENT) {
		run->look_at = run->exited_at + MOMENT;
		return;
	}
	if (run->flags != run->told) {
		run->told = run->flags;
		out = answer(RUN, 0);
		put_u8(out, run->flags);
		record_put(out, &run->record);
		answered();
	}
	if (run->flags & EMPTY && run->stop_request > 0 && !FAILPOINT("stop.6.drained")) {
		put_u64(answer(STOPPED, run->stop_request), run->record.run);
		answered();
		run->stop_request = 0;
	}
	if (run->flags == CLOSED)
		run_release(run);
}

/* Give a start up: what there is of it is killed, and the answer comes when it has gone. */
void run_fail(struct run *run, enum step step, int error)
{
	run->state = FAILING;
	run->failed = step;
	run->error = error;
	unwatch(&run->report);
	run_kill(run);
}

/* Kill all that is in the run's directory, and the main process wherever it was moved to. */
void run_kill(struct run *run)
{
	run->killed = !FAILPOINT("stop.3.grace");
	cgroup_kill(run->group);
	if (run->main > 0 && !FAILPOINT("stop.4.killed"))
		kill(run->main, SIGKILL); /* only we reap, so it has this pid still */
	run_update(run);
}

/* Ask a run to end by `deadline`. Asked again the nearer one holds, and what was killed is killed anew. */
void run_stop(struct run *run, int number, int64_t deadline)
{
	if (!run->stopping || deadline < run->deadline)
		run->deadline = deadline;
	run->killed &= !run->stopping;
	run->stopping = true;
	run->stop_signal = number;
	/* One that is still on its way in gets the signal when it is there. */
	if (run->state == RUNNING && !(run->flags & EMPTY))
		cgroup_signal(run->group, number);
	(void)FAILPOINT("stop.2.signaled");
	run_update(run);
}

/* The main process has ended: say how and why, before its pid is given away. */
static void exited(struct run *run, const siginfo_t *end)
{
	struct record *record = &run->record;
	bool by_exit = end->si_code == CLD_EXITED;

	record->ended_at = clock_now(CLOCK_REALTIME);
	record->how = by_exit ? BY_EXIT : BY_SIGNAL;
	record->status = end->si_status;
	record->core = end->si_code == CLD_DUMPED;
	cgroup_usage(run->group, record);
	if (run->stopping)
		record->reason = ABORTED;
	else if (record->usage[OOM_KILLS] > 0 &&
		 (by_exit ? end->si_status != 0 : end->si_status == SIGKILL))
		record->reason = BY_OOM;
	else
		record->reason = record->how;
	drain(run);
	record_write(&run->file, record);
	run->flags |= FAILPOINT("stop.5.recorded") ? 0 : EXITED;
	run->exited_at = clock_now(CLOCK_MONOTONIC);
}

/*
 * Reap the stages that have ended, and read what they told; returns whether one lives that has not told
 * of its newcomer.
 */
static bool reap_stages(void)
{
	bool due = false;

	each_run(run) {
		siginfo_t end = { .si_pid = 0 };
		pid_t stage = run->stage;

		if (stage > 0 && waitid(P_PID, (id_t)stage, &end, WEXITED | WNOHANG) == 0 &&
		    end.si_pid == stage)
			run->stage = 0;
		if (run->state == STARTING)
			read_reports(run);
		due |= run->stage > 0 && run->main == 0;
		if (stage != run->stage)
			run_update(run);
	}
	return due;
}

/* The run whose main process, or stage, has this pid. */
static struct run *run_of(pid_t pid)
{
	each_run(run)
		if (run->main == pid || run->stage == pid)
			return run;
	return NULL;
}

/*
 * Record every end that is due, then reap. A child that nobody knows is a newcomer whose report is still
 * to come, so it waits; or, where no stage is under way, an orphan: of a stage that was killed, or of
 * a cell without a PID namespace, whose reaper we are.
 */
void collect(void)
{
	for (;;) {
		siginfo_t end = { .si_pid = 0 };
		bool due = reap_stages();
		struct run *run;

		if (waitid(P_ALL, 0, &end, WEXITED | WNOHANG | WNOWAIT) < 0 || end.si_pid == 0)
			return;
		run = run_of(end.si_pid);
		if (run && run->stage == end.si_pid)
			continue; /* it has ended since we looked */
		if (!run && end.si_pid != cell.init && due)
			return;
		if (run && run->state == STARTING) {
			/* The stage closes the reports at once; whoever else has them does not matter. */
			if (run->stage > 0)
				return;
			resolve(run);
		}
		if (run && run->state == RUNNING)
			exited(run, &end);
		waitid(P_PID, (id_t)end.si_pid, &end, WEXITED);
		if (run && run->state != FREE) {
			run->main = 0;
			run_update(run);
		} else if (end.si_pid == cell.init) {
			cell_init_died(end.si_code == CLD_EXITED ? BY_EXIT : BY_SIGNAL,
				       end.si_status);
		}
	}
}

/* An event of a run. That of a slot which is free by now, or another's, finds nothing to do. */
void run_event(enum watched what, struct run *run)
{
	if (run->state == FREE)
		return;
	if (what == REPORT) {
		read_reports(run);
		collect(); /* an end may have waited for this */
	} else {
		if (what != RUN_EVENTS)
			read_stream(run, what == ERR);
		run_update(run);
	}
}

/* Do what is due, and return when something will be. */
int64_t run_tick(int64_t now)
{
	int64_t next = NEVER;

	each_run(run) {
		if (run->look_at > 0 && now >= run->look_at) {
			run->look_at = 0;
			if (run->killed)
				cgroup_kill(run->group);
			run_update(run);
		}
		if (run->state != FREE && run->stopping && !run->killed && now >= run->deadline)
			run_kill(run);
		if (run->state == FREE)
			continue;
		if (run->look_at > 0 && run->look_at < next)
			next = run->look_at;
		if (run->stopping && !run->killed && run->deadline < next)
			next = run->deadline;
	}
	return next;
}

/* Returns whether no process of any run is left, and none is on its way. */
bool run_none_left(void)
{
	each_run(run)
		if (!(run->flags & EMPTY))
			return false;
	return true;
}
