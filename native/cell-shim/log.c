/*
 * log.c - output in, lines out: each read of a pipe is cut into lines, and written in the CRI form with
 * one write.
 *
 * A write waits for a slow disk, and all of the supervisor with it: the program's pipe then fills and
 * blocks it, as it would have been blocked by the disk itself.
 */
#include "supervisor.h"

#include <stdio.h>
#include <sys/stat.h>

#define READ_SIZE   65536
#define WRITE_SIZE  131072
#define PREFIX_SIZE 40 /* "2026-01-02T03:04:05.123456789Z stdout F " */
#define TAG         38
#define GAP_SIZE    72 /* of a line that tells of a gap, at most */

/* Shared by all runs: nothing stays in them from one read to the next. */
static _Alignas(PAGE) char input[MAX_LINE + READ_SIZE];
static _Alignas(PAGE) char output[WRITE_SIZE];
static size_t used;        /* bytes in output */
static uint64_t announced; /* lines of the gap that output begins with telling of */
static char prefix[PREFIX_SIZE + 1];

/* The name of a segment, below the directory of logs: <executable>/<run>.log, .log.1, .log.2 ... */
static const char *segment_name(const struct log *log, uint64_t segment)
{
	static char name[MAX_NAME + 64];
	int length = snprintf(name, sizeof(name), "%s/%llu.log", log->record->executable,
			      (unsigned long long)log->record->run);

	if (segment > 0)
		snprintf(name + length, sizeof(name) - (size_t)length, ".%llu",
			 (unsigned long long)segment);
	return name;
}

/* Begin a segment, instead of the one that is open. O_EXCL: a run number names one log for ever. */
static int open_segment(struct log *log, uint64_t segment)
{
	int fd = openat(cell.logs, segment_name(log, segment),
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return -1;
	if (log->fd >= 0)
		close(log->fd);
	log->fd = fd;
	log->segment = segment;
	log->size = 0;
	log->limit = cell.segment_bytes;
	if (segment >= cell.segments_kept)
		unlinkat(cell.logs, segment_name(log, segment - cell.segments_kept), 0);
	return 0;
}

/* Open the log of a run. Returns 0 or -1. */
int log_open(struct log *log)
{
	log->fd = -1;
	if (open_segment(log, 0) == 0)
		return 0;
	if (errno != ENOENT || mkdirat(cell.logs, log->record->executable, 0700) < 0)
		return -1;
	return open_segment(log, 0);
}

/* Close it, and remove it when no program ever ran. */
void log_close(struct log *log, bool remove)
{
	if (log->fd < 0)
		return;
	close(log->fd);
	log->fd = -1;
	if (remove)
		unlinkat(cell.logs, segment_name(log, 0), 0);
}

/*
 * Write what has been put together. When that fails, the segment is cut back to its last whole line and
 * the rest is counted: the program goes on, and the log will tell of the gap.
 */
static void flush(struct log *log)
{
	size_t done = 0, whole;
	uint64_t lost = 0;

	while (done < used) {
		ssize_t n = pwrite(log->fd, output + done, used - done, (off_t)(log->size + done));

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			break;
	}
	for (whole = done; whole > 0 && output[whole - 1] != '\n';)
		whole--;
	for (size_t i = whole; i < used; i++)
		lost += output[i] == '\n';
	if (whole == 0 && announced > 0) {
		lost--; /* the line that tells of the gap */
		log->gap += announced;
	}
	/* If not even this succeeds, the next write goes over it all the same. */
	if (whole < done && ftruncate(log->fd, (off_t)(log->size + whole)) < 0)
		errno = 0;
	log->record->dropped += lost;
	log->gap += lost;
	log->size += whole;
	announced = used = 0;
}

/* The timestamp and the channel of the lines of one read. */
static void stamp(bool is_stderr)
{
	static time_t second = -1;
	struct timespec now;
	struct tm date;

	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != second) {
		second = now.tv_sec;
		gmtime_r(&second, &date);
		strftime(prefix, sizeof(prefix), "%Y-%m-%dT%H:%M:%S", &date);
	}
	snprintf(prefix + 19, sizeof(prefix) - 19, ".%09ldZ %s F ", now.tv_nsec,
		 is_stderr ? "stderr" : "stdout");
}

/* Put a line, or a part of one, into output; first, if lines before it are missing, that they are. */
static void put_line(struct log *log, const char *text, size_t length, char tag)
{
	size_t need = PREFIX_SIZE + length + 1;

	if (used + need + GAP_SIZE > WRITE_SIZE)
		flush(log);
	if (log->size + used + need > log->limit && log->size + used > 0) {
		flush(log);
		/* Without a next segment this one goes on, and the next try comes a segment later. */
		if (log->size > 0 && open_segment(log, log->segment + 1) < 0)
			log->limit = log->size + cell.segment_bytes;
	}
	/* A gap is the news of a flush, so output is empty. */
	if (log->gap > 0) {
		used = (size_t)snprintf(output, GAP_SIZE, "%.*sF:dropped=%llu \n", TAG, prefix,
					(unsigned long long)log->gap);
		announced = log->gap;
		log->gap = 0;
	}
	memcpy(output + used, prefix, PREFIX_SIZE);
	output[used + TAG] = tag;
	memcpy(output + used + PREFIX_SIZE, text, length);
	used += need;
	output[used - 1] = '\n';
}

/*
 * Read a pipe once and write its lines to the log. Returns how many bytes came, 0 at the end, when
 * what is left is written as a part that no newline ends, and -1 when there is nothing to read now.
 */
ssize_t log_read(struct log *log, struct stream *stream, bool is_stderr)
{
	static bool flooded;
	char *at = input, *end;
	ssize_t n = read(stream->fd, input + stream->held, READ_SIZE);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -1;
	if (n < 0)
		n = 0;
	memcpy(input, stream->line, stream->held);
	end = input + stream->held + n;
	stamp(is_stderr);
	while (at < end) {
		size_t left = (size_t)(end - at), length = left > MAX_LINE ? MAX_LINE : left;
		/* One byte more than a line may have: a newline there still ends it. */
		char *newline = memchr(at, '\n', left > MAX_LINE ? MAX_LINE + 1 : left);

		if (!newline && left <= MAX_LINE && n > 0)
			break;
		if (newline)
			length = (size_t)(newline - at);
		put_line(log, at, length, newline ? 'F' : 'P');
		at += length + (newline != NULL);
	}
	stream->held = (uint32_t)(end - at);
	memcpy(stream->line, at, stream->held);
	flush(log);
	if (n == 0 || (flooded && n < READ_SIZE)) {
		give_back(input, sizeof(input));
		give_back(output, sizeof(output));
	}
	flooded = n == READ_SIZE;
	return n;
}
