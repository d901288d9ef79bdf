/* reap.c - the ends of all children: recorded first, reaped second. */
#include "supervisor.h"

#include <sys/wait.h>

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
	record_write(&run->file, cell.runs_directory, record);
	run->flags |= EXITED;
	run->exited = clock_now(CLOCK_MONOTONIC);
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
	struct run *run;
	bool due = false;

	each_run(run)
	{
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
			if (run->state == STARTING)
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
