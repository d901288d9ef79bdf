/* reap.c - the ends of all children: recorded first, reaped second. */
#include "supervisor.h"

#include <sys/wait.h>

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
	run_drain(run);
	record_write(&run->file, record);
	run->flags |= EXITED;
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

/* The run whose main process has this pid. */
static struct run *run_of(pid_t pid)
{
	each_run(run)
		if (run->main == pid)
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
