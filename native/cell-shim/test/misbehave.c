/*
 * misbehave.c - one program that does what programs should not, for the tests:
 *
 *   misbehave orphans COUNT   leave COUNT orphans in all, 500 at a time; exit 7 when each could be made
 *   misbehave bomb            fork, in every process, for ever
 *   misbehave daemon          leave a daemon with a session and a family of its own, and exit
 *   misbehave runaway         have lines of processes that are never twice the same, and none of which stays ended
 *   misbehave raise SIGNAL    end by a signal, with a core where that makes one; exit 200 if it does not
 *   misbehave take-pid PID    have a child with just this pid, until stdin ends; say how it ended
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BATCH  500
#define TRIES  1000000
#define LIFE   30 /* seconds */
#define LINES  6
#define MISSED 50

/* Say that it is done, for who reads along. */
static void say(const char *word)
{
	puts(word);
	fflush(stdout);
}

/* What forks for ever ends some day, also when nobody can end it. */
static bool is_late(void)
{
	static time_t first;
	time_t now = time(NULL);

	if (first == 0)
		first = now;
	return now > first + LIFE;
}

/* fork(), with patience for those that are not reaped yet; what is never reaped ends it. */
static pid_t fork_patiently(void)
{
	for (int left = TRIES;; left--) {
		pid_t pid = fork();

		if (pid >= 0 || errno != EAGAIN || left == 0)
			return pid;
		sched_yield();
	}
}

/* Make a batch of orphans that end all at once, and wait until they have. */
static int orphan_batch(int count)
{
	int hold[2], alive[2], status;
	pid_t middle;
	char byte;

	if (pipe(hold) < 0 || pipe(alive) < 0 || (middle = fork_patiently()) < 0)
		return -1;
	if (middle == 0) {
		close(hold[1]);
		for (int i = 0; i < count; i++) {
			pid_t pid = fork_patiently();

			if (pid < 0)
				_exit(1);
			if (pid == 0)
				_exit(read(hold[0], &byte, 1) == 0 ? i & 0xff : 0);
		}
		_exit(0);
	}
	close(hold[0]);
	close(alive[1]);
	if (waitpid(middle, &status, 0) != middle || status != 0)
		return -1;
	close(hold[1]);
	/* Nobody writes; who has ended holds it no more. */
	if (read(alive[0], &byte, 1) != 0)
		return -1;
	close(alive[0]);
	return 0;
}

static int orphans(int count)
{
	for (; count > 0; count -= BATCH)
		if (orphan_batch(count < BATCH ? count : BATCH) < 0)
			return 1;
	return 7;
}

/* The first of them says when there can be no more. */
static _Noreturn void bomb(void)
{
	bool told = false;

	while (!is_late()) {
		pid_t pid = fork();

		told |= pid == 0;
		if (pid < 0 && !told)
			say("full");
		told |= pid < 0;
	}
	_exit(1);
}

/* Nobody waits for it, no terminal or parent ends it, its orphans are its own, and SIGTERM is nothing to it. */
static int daemonize(void)
{
	int ready[2];
	char byte;

	if (pipe(ready) < 0)
		return 1;
	if (fork() > 0) {
		close(ready[1]);
		return read(ready[0], &byte, 1) == 1 ? 0 : 1;
	}
	setsid();
	if (fork() > 0)
		_exit(0);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (int i = 0; i < 3; i++)
		if (fork() == 0) {
			setsid();
			if (fork() > 0)
				_exit(0); /* so that the next is an orphan of the daemon */
			for (;;)
				pause();
		}
	for (int i = 0; i < 3; i++)
		wait(NULL);
	say("ready");
	if (write(ready[1], "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

/*
 * Each process makes the next and ends: a pid that is read is gone when it is used. And a line that has
 * ended is begun anew by the one beside it: either all end at once, or none does.
 */
static _Noreturn void run_away(volatile unsigned *beats, int line)
{
	unsigned seen = 0;
	int missed = 0;

	while (!is_late()) {
		int beside = (line + 1) % LINES;

		beats[line]++;
		missed = beats[beside] == seen ? missed + 1 : 0;
		seen = beats[beside];
		if (missed == MISSED && fork() == 0) {
			line = beside;
			missed = 0;
		}
		if (fork() > 0)
			break;
	}
	_exit(0);
}

static int runaway(void)
{
	volatile unsigned *beats = mmap(NULL, LINES * sizeof(*beats), PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (beats == MAP_FAILED)
		return 1;
	signal(SIGTERM, SIG_IGN);
	for (int line = 0; line < LINES; line++)
		if (fork() == 0)
			run_away(beats, line);
	say("ready");
	while (!is_late())
		sleep(1);
	return 0;
}

static int end_by(int number)
{
	struct rlimit core = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_CORE, &core);
	syscall(SYS_kill, getpid(), number);
	return 200;
}

/* clone3() with a pid that is asked for; needs CAP_SYS_ADMIN, and that nobody has it. */
static int take_pid(pid_t pid)
{
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
		uint64_t set_tid, set_tid_size, cgroup;
	} args = { .exit_signal = SIGCHLD, .set_tid = (uintptr_t)&pid, .set_tid_size = 1 };
	pid_t child = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	int status;
	char byte;

	if (child < 0) {
		say(strerror(errno));
		return 1;
	}
	if (child == 0)
		for (;;)
			pause();
	say("ready");
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	status = 0;
	if (waitpid(child, &status, WNOHANG) == 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		say("alive");
	} else {
		printf("signal %d\n", WTERMSIG(status));
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int number = argc > 2 ? atoi(argv[2]) : 0;

	if (strcmp(what, "orphans") == 0)
		return orphans(number);
	if (strcmp(what, "bomb") == 0)
		bomb();
	if (strcmp(what, "daemon") == 0)
		return daemonize();
	if (strcmp(what, "runaway") == 0)
		return runaway();
	if (strcmp(what, "raise") == 0)
		return end_by(number);
	if (strcmp(what, "take-pid") == 0)
		return take_pid(number);
	return 2;
}
