/*
 * Writes numbered lines, the same numbers on both channels, so that whoever reads them can tell that
 * none was lost, doubled or put in another order:
 *
 *     numbered-writer LINES PACE END
 *
 * LINES is how many on each channel; 0: until SIGTERM. PACE is microseconds from a line to the next;
 * 0: flat out. A line is "<seq> <pid> out" or "<seq> <pid> err"; after the last one "<seq> <pid> out
 * end" says how many there were. It ends with END: an exit code, or a signal as a negative number.
 * With "deaf" as a fourth argument it ignores SIGTERM.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A write of so much is whole or not there, also when the writer is killed: pipe(7), PIPE_BUF. */
enum { ROOM = 4096, LINE = 64 };

struct channel {
	int fd;
	const char *name;
	char text[ROOM];
	size_t length;
};

static volatile sig_atomic_t told;

static void take_signal(int number)
{
	(void)number;
	told = 1;
}

/* Write all that is gathered. A reader that has gone ends us by SIGPIPE. */
static void flush(struct channel *channel)
{
	size_t done = 0;

	while (done < channel->length) {
		ssize_t count = write(channel->fd, channel->text + done, channel->length - done);
		if (count < 0 && errno != EINTR)
			_exit(120);
		if (count > 0)
			done += (size_t)count;
	}
	channel->length = 0;
}

static void add(struct channel *channel, unsigned long seq, const char *mark)
{
	if (channel->length + LINE > ROOM)
		flush(channel);
	channel->length += (size_t)snprintf(channel->text + channel->length, LINE, "%lu %d %s%s\n",
					    seq, (int)getpid(), channel->name, mark);
}

/* Until the next line is due, or SIGTERM came. */
static void rest(long pace)
{
	struct timespec pause = { .tv_sec = pace / 1000000, .tv_nsec = pace % 1000000 * 1000 };

	if (pace > 0)
		nanosleep(&pause, NULL);
}

int main(int count, char **arguments)
{
	static struct channel out = { .fd = 1, .name = "out" };
	static struct channel err = { .fd = 2, .name = "err" };

	if (count < 4)
		return 121;
	unsigned long lines = strtoul(arguments[1], NULL, 10);
	long pace = strtol(arguments[2], NULL, 10);
	int end = atoi(arguments[3]);
	int is_deaf = count > 4 && strcmp(arguments[4], "deaf") == 0;
	struct sigaction action = { .sa_handler = is_deaf ? SIG_IGN : take_signal };

	sigaction(SIGTERM, &action, NULL);
	unsigned long seq = 0;
	while (!told && (lines == 0 || seq < lines)) {
		seq++;
		add(&out, seq, "");
		add(&err, seq, "");
		if (pace > 0) {
			flush(&out);
			flush(&err);
		}
		rest(pace);
	}
	add(&out, seq, " end");
	add(&err, seq, " end");
	flush(&out);
	flush(&err);
	if (end < 0) {
		signal(-end, SIG_DFL);
		raise(-end);
	}
	_exit(end);
}
