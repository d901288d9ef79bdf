/*
 * bench.c - times of a start, without a Node in between: `bench SOCKET ID BOOT COUNT`, for a cell whose
 * x-true is there. Each round starts /bin/true once through the shim and once by posix_spawn(), so that
 * both see the same machine. Prints a JSON object of the medians, in microseconds.
 */
#include "frame.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 2000

enum { STARTED_US, CLOSED_US, SPAWNED_US, WAITED_US, FIGURES };
static double figures[FIGURES][ROUNDS];
static int connection;

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void take_bytes(void *to, size_t size)
{
	if (recv(connection, to, size, MSG_WAITALL) != (ssize_t)size)
		exit(1);
}

/* Take the next frame; returns its type, and its first byte after the header in `first`. */
static uint16_t take_frame(uint8_t *first)
{
	uint8_t bytes[4096];
	uint32_t length;
	uint16_t type;

	take_bytes(bytes, FRAME_HEADER);
	memcpy(&length, bytes, 4);
	memcpy(&type, bytes + 4, 2);
	take_bytes(bytes, length);
	*first = bytes[0];
	return type;
}

static void send_start(uint64_t run)
{
	uint8_t bytes[256];
	struct writer out = { bytes, bytes + sizeof(bytes), false };

	frame_begin(&out, START, (uint32_t)run);
	put_u64(&out, run);
	put_text(&out, "true");
	put_u32(&out, 1);
	put_text(&out, "/bin/true");
	put_u32(&out, 1);
	put_text(&out, "PATH=/bin");
	put_text(&out, "/");
	put_u32(&out, 0);
	put_u32(&out, 0);
	frame_end(bytes, &out);
	if (write(connection, bytes, (size_t)(out.at - bytes)) < 0)
		exit(1);
}

static void measure_start(int round)
{
	uint8_t flags = 0;
	double began = now_us();

	send_start((uint64_t)round + 1000);
	if (take_frame(&flags) != STARTED)
		exit(1);
	figures[STARTED_US][round] = now_us() - began;
	while (take_frame(&flags) != RUN || !(flags & 4))
		;
	figures[CLOSED_US][round] = now_us() - began;
}

static void measure_spawn(int round)
{
	char *argv[] = { "/bin/true", NULL }, *envp[] = { "PATH=/bin", NULL };
	double began = now_us();
	pid_t pid;

	if (posix_spawn(&pid, argv[0], NULL, NULL, argv, envp) != 0)
		exit(1);
	figures[SPAWNED_US][round] = now_us() - began;
	waitpid(pid, NULL, 0);
	figures[WAITED_US][round] = now_us() - began;
}

static int compare(const void *one, const void *other)
{
	double difference = *(const double *)one - *(const double *)other;

	return (difference > 0) - (difference < 0);
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "started", "closed", "spawned", "waited" };
	int rounds = argc < 5 ? 0 : atoi(argv[4]);
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	uint8_t bytes[256], first;
	struct writer out = { bytes, bytes + sizeof(bytes), false };

	if (rounds < 1 || rounds > ROUNDS)
		return 1;
	strncpy(name.sun_path, argv[1], sizeof(name.sun_path) - 1);
	frame_begin(&out, HELLO, 0);
	put_u32(&out, HELLO_MAGIC);
	put_u16(&out, HELLO_VERSION);
	for (int i = 2; i < 4; i++)
		put_text(&out, argv[i]);
	put_text(&out, "bench");
	frame_end(bytes, &out);
	connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(connection, (struct sockaddr *)&name, sizeof(name)) < 0 ||
	    write(connection, bytes, (size_t)(out.at - bytes)) < 0 || take_frame(&first) != HELLO)
		return 1;
	for (int round = 0; round < rounds; round++) {
		measure_start(round);
		measure_spawn(round);
	}
	for (int i = 0; i < FIGURES; i++) {
		qsort(figures[i], (size_t)rounds, sizeof(double), compare);
		printf("%s\"%s\": %.0f, \"%s10\": %.0f", i ? ", " : "{ ", names[i],
		       figures[i][rounds / 2], names[i], figures[i][rounds / 10]);
	}
	printf(" }\n");
	return 0;
}
