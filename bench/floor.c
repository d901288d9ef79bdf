/*
 * The floor: posix_spawn a program, wait for its end, and print the nanoseconds that took.
 * Usage: floor COUNT PROGRAM [ARGS...]; one line for each time.
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static long long now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec * 1000000000LL + at.tv_nsec;
}

int main(int argc, char **argv)
{
	int count = argc > 2 ? atoi(argv[1]) : 0;

	for (int i = 0; i < count; i++) {
		long long begun = now();
		int status;
		pid_t pid;

		if (posix_spawnp(&pid, argv[2], NULL, NULL, argv + 2, environ) != 0 ||
		    waitpid(pid, &status, 0) != pid || status != 0) {
			perror(argv[2]);
			return EXIT_FAILURE;
		}
		printf("%lld\n", now() - begun);
	}
	return EXIT_SUCCESS;
}
