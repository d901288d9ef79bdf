/*
 * run.c - the life of a run: START makes it, its own end or STOP ends it, and when its processes are gone
 * and its pipes have ended it is forgotten.
 *
 *   STARTING --exec--> STARTED_UP: + EXITED, + EMPTY, + COMPLETE --> FREE
 *       '-- a step failed --> FAILING: until nothing of it is left --> FREE
 */
#include "supervisor.h"

#include <sys/epoll.h>
#include <sys/wait.h>
#include <time.h>

#define REST          (MILLISECONDS / 5)   /* between small reads of a busy pipe */
#define SMALL         16384                /* a read below this is small */
#define FLOOD_IS_OVER (100 * MILLISECONDS) /* after the last read that was not */
#define LOOK_KILLED   (10 * MILLISECONDS)
#define LOOK_EXITED   (250 * MILLISECONDS)
#define MOMENT        (5 * MILLISECONDS) /* in which a tree mostly follows its main process */

struct run runs[MAX_RUNS];
uint32_t active[MAX_RUNS], active_count;
static _Alignas(4096) char lines[MAX_RUNS][2][MAX_LINE];
static int64_t trim_at = NEVER;

/* Find a run by its number; NULL when there is none that is not yet closed. */
struct run *
run_by_id(uint64_t id)
{
	struct run *run;

	each_run(run) if (run->record.run == id) return run;
	return NULL;
}

/* Find the run whose main process, or stage, has this pid. */
struct run *
run_by_pid(pid_t pid, bool stage)
{
	struct run *run;

	each_run(run) if ((stage ? run->stage : run->main) == pid) return run;
	return NULL;
}

uint32_t
slot_of(const struct run *run)
{
	return (uint32_t)(run - runs);
}

/* Take a slot, the lowest, so that memory which was never touched stays so. NULL: all are in use. */
struct run *
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
	*run = (struct run){
		.state = STARTING, .pidfd = -1, .report = -1, .events = -1, .file = -1
	};
	for (int i = 0; i < 2; i++)
		run->streams[i] = (struct stream){ .fd = -1, .line = lines[slot][i] };
	run->log.fd = -1;
	return run;
}

/* Forget a run. One that never ran leaves no log. */
void
release(struct run *run)
{
	uint32_t slot = slot_of(run), i = 0;

	log_close(&run->log, run->state != STARTED_UP && run->log.fd >= 0);
	unwatch(&run->report);
	unwatch(&run->events);
	unwatch(&run->pidfd);
	if (run->file >= 0)
		close(run->file);
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
	struct run *run;
	uint32_t count = 0;

	each_run(run) count += run->state == STARTED_UP;
	put_u32(out, count);
	each_run(run) if (run->state == STARTED_UP) put_run(out, run);
}

/* Read a pipe once. 0 is its end: nobody has it open for writing any more. */
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
void
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
void
update(struct run *run)
{
	if (run->state == FREE || run->state == STARTING)
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
	if (run->flags & EXITED && run->streams[0].fd < 0 && run->streams[1].fd < 0)
		run->flags |= COMPLETE;
	/* One frame for both ends wakes D once; and who starts the name again finds its tree gone. */
	if (run->flags & EXITED && !(run->flags & EMPTY) && !(run->told & EXITED) &&
	    clock_now(CLOCK_MONOTONIC) < run->exited + MOMENT) {
		wake_at(run->look_at = run->exited + MOMENT);
		return;
	}
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
	if (run->flags == CLOSED)
		release(run);
}

/* Give a start up: what there is of it is killed, and the answer comes when it has gone. */
void
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
		collect(); /* an end may have waited for this */
	} else if (what == RUN_EVENTS) {
		update(run);
	} else {
		struct stream *stream = &run->streams[what == ERR];
		int64_t now = clock_now(CLOCK_MONOTONIC);

		/* A program that writes line by line would wake us for each: let some more come. */
		if (!(events & EPOLLHUP) && stream->small && now - stream->read_at < REST) {
			stream->resting = true;
			rewatch(stream->fd, 0, what, slot);
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
	struct run *run;

	each_run(run)
	{
		for (int which = 0; which < 2; which++) {
			struct stream *stream = &run->streams[which];

			if (!stream->resting)
				continue;
			stream->resting = now < stream->read_at + REST;
			if (stream->resting)
				wake_at(stream->read_at + REST);
			else if (stream->fd >= 0)
				rewatch(stream->fd, EPOLLIN, which ? ERR : OUT, slot_of(run));
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
	struct run *run;

	each_run(run) stop(run, SIGTERM, deadline);
}

/* Kill them all. */
void
run_kill_all(void)
{
	struct run *run;

	each_run(run) kill_tree(run);
}

/* Returns whether no process of any run is left, and none is on its way. */
bool
run_all_empty(void)
{
	struct run *run;

	each_run(run) if (!(run->flags & EMPTY)) return false;
	return true;
}

/* The cell is gone: who holds a pipe now is not of it, and is not waited for. */
void
run_close_all(void)
{
	struct run *run;

	each_run(run)
	{
		unwatch(&run->streams[0].fd);
		unwatch(&run->streams[1].fd);
		update(run);
	}
}

/* Request numbers are the connection's, and it has gone. */
void
run_forget_requests(void)
{
	struct run *run;

	each_run(run) run->start_request = run->stop_request = 0;
}
