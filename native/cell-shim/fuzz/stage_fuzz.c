/*
 * stage_fuzz.c - any order, and any call of the stage failing. An executable runs only when every part of
 * its identity was taken, in order; what fails is told, with a step.
 */
#include "target.h"

#include <sys/mount.h>

int stage_main(int argc, char **argv);

/* In this order: what comes late could undo nothing that came before. */
static const char *const steps[] = { "chdir",     "bound",     "setrlimit", "ambient",     "capset",
				     "setgroups", "setresgid", "setresuid", "no_new_privs" };
static size_t done;
static int reports;
static bool executed_it;
static struct order order;
static struct source order_source;

static void called(const char *name)
{
	if (done < sizeof(steps) / sizeof(steps[0]) && strcmp(name, steps[done]) == 0)
		done++;
}

static void executed(const char *path, char *const *argv, char *const *envp)
{
	(void)path;
	(void)argv;
	(void)envp;
	MAKE_SURE(!order.init && done == sizeof(steps) / sizeof(steps[0]));
	executed_it = true;
}

static ssize_t written(int fd, const char *path, const uint8_t *bytes, size_t size, off_t at)
{
	struct report report;

	(void)fd;
	(void)path;
	(void)at;
	if (size != sizeof(report))
		return (ssize_t)size;
	memcpy(&report, bytes, sizeof(report));
	MAKE_SURE(report.what > STEP_launch && report.what <= REPORT_READY);
	reports++;
	return (ssize_t)size;
}

static void stage(void)
{
	char name[] = "aurae-stage", directory[] = "/", program[] = "a", argument[] = "b";

	stage_main(4, (char *[]){ name, directory, program, argument, NULL });
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader in = input_of(data, size), luck;
	uint8_t how = take_u8(&in);
	int end;

	world_reset();
	luck = take_part(&in);
	memset(&order, 0, sizeof(order));
	take(&in, &order,
	     (size_t)(in.end - in.at) < sizeof(order) ? (size_t)(in.end - in.at) : sizeof(order));
	end = world_new_fd("reports");
	for (int i = 0; how & 1 && i < FDS; i++)
		order.fds[i] = i == PARENT || i == INTO ? -1 : end;
	if (!(how & 8)) { /* mostly one that S could give */
		order.tasks %= 2 * MAX_HIERARCHIES + 1;
		order.joins = order.init ? order.tasks / 2 : order.tasks;
	}
	world.luck = luck;
	world.lax = true;
	world.in_child = how & 2;
	world.called = called;
	world.executed = executed;
	world.written = written;
	world.order = source_of(
		input_of((uint8_t *)&order, how & 4 ? sizeof(order) - 1 : sizeof(order)), NULL, 0);
	done = 0;
	reports = 0;
	executed_it = false;
	world_run(stage);
	if (how & 4)
		MAKE_SURE(reports == 0 && !executed_it);
	return 0;
}
