/*
 * log.c - output in, lines out: each read of a pipe is cut into lines, and written in the CRI form with
 * one write. At 100 bytes a line that is two copies and one scan a byte.
 *
 * A write waits for a slow disk, and all of the supervisor with it: the program's pipe then fills and
 * blocks it, as it would have been blocked by the disk itself.
 */
#include "supervisor.h"

#include <sys/stat.h>
#include <time.h>

#define READ_SIZE   65536
#define WRITE_SIZE  131072
#define PREFIX_SIZE 40 /* "2026-01-02T03:04:05.123456789Z stdout F " */
#define TAG         38

/* Shared by all runs: nothing stays in them from one read to the next. */
static _Alignas(4096) char input[MAX_LINE + READ_SIZE + 8];
static _Alignas(4096) char output[WRITE_SIZE + 8];
static size_t used;        /* bytes in output */
static uint64_t announced; /* lines of the gap that stands at the beginning of output */
static char prefix[PREFIX_SIZE + 1];

/* Give back what a flood has touched; the next line touches anew. */
void
log_trim(void)
{
	give_back(input, sizeof(input));
	give_back(output, sizeof(output));
}

/* The name of a segment, below the directory of logs: <executable>/<run>.log, .log.1, .log.2 ... */
static const char *
segment_name(const struct log *log, uint64_t segment)
{
	static struct text name;
	struct text number = digits(log->record->run);

	join(&name, log->record->executable, "/", number.is);
	join(&number, segment > 0 ? ".log." : ".log", segment > 0 ? digits(segment).is : "", "");
	memcpy(name.is + strlen(name.is), number.is, strlen(number.is) + 1);
	return name.is;
}

/* Begin a segment, instead of the one that is open. O_EXCL: a run number names one log for ever. */
static int
open_segment(struct log *log, uint64_t segment)
{
	int fd = openat(log->dir, segment_name(log, segment),
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return -1;
	if (log->fd >= 0)
		close(log->fd);
	log->fd = fd;
	log->segment = segment;
	log->size = 0;
	log->limit = log->segment_bytes;
	if (segment >= log->kept)
		unlinkat(log->dir, segment_name(log, segment - log->kept), 0);
	return 0;
}

/* Open a new log; the caller has set dir, record, segment_bytes and kept. Returns 0 or -1. */
int
log_open(struct log *log)
{
	log->fd = -1;
	if (open_segment(log, 0) == 0)
		return 0;
	if (errno != ENOENT || mkdirat(log->dir, log->record->executable, 0700) < 0)
		return -1;
	return open_segment(log, 0);
}

/* Close it, and remove it when no program ever ran. */
void
log_close(struct log *log, bool remove)
{
	if (log->fd >= 0)
		close(log->fd);
	log->fd = -1;
	if (remove)
		unlinkat(log->dir, segment_name(log, 0), 0);
}

/*
 * Write what has been put together. When that fails, the segment is cut back to its last whole line and
 * the rest is counted: the program goes on, and the log will tell of the gap.
 */
static void
flush(struct log *log)
{
	size_t done = 0, whole;
	uint64_t lost = 0;

	while (done < used) {
		ssize_t n = pwrite(log->fd, output + done, used - done, (off_t)(log->size + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	for (whole = done; whole > 0 && output[whole - 1] != '\n';)
		whole--;
	if (whole > 0)
		log->gap -= announced;
	if (done < used) {
		for (size_t i = whole; i < used; i++)
			lost += output[i] == '\n';
		if (whole == 0 && announced > 0)
			lost--; /* the gap's own line */
		/* If not even this succeeds, the next write goes over it all the same. */
		if (whole < done && ftruncate(log->fd, (off_t)(log->size + whole)) < 0)
			whole += 0;
		log->dropped += lost;
		log->gap += lost;
	}
	log->size += whole;
	announced = 0;
	used = 0;
}

/* The timestamp and the channel of the lines of one read. */
static void
stamp(bool is_stderr)
{
	static time_t second = -1;
	struct timespec now;
	struct tm date;

	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != second) {
		second = now.tv_sec;
		gmtime_r(&second, &date);
		strftime(prefix, sizeof(prefix), "%Y-%m-%dT%H:%M:%S.", &date);
	}
	for (int i = 28; i >= 20; i--, now.tv_nsec /= 10)
		prefix[i] = (char)('0' + now.tv_nsec % 10);
	memcpy(prefix + 29, is_stderr ? "Z stderr F " : "Z stdout F ", 12);
}

/* Say in the log that lines are missing. Output is empty here, for a failed write has emptied it. */
static void
announce(struct log *log)
{
	struct text gap;

	prefix[TAG] = 'F';
	memcpy(output, prefix, TAG + 1);
	join(&gap, ":dropped=", digits(log->gap).is, " \n");
	used = TAG + 1 + strlen(gap.is);
	memcpy(output + TAG + 1, gap.is, used - TAG - 1);
	announced = log->gap;
}

/*
 * Copy up to `size` bytes, of which a line ends at most one: the copy and the search for the newline are
 * one pass, eight bytes at a time, for half of the cost of each. Both buffers have room for a word more.
 * Returns how many bytes come before the newline, or `size`.
 */
static inline size_t
copy_line(char *to, const char *from, size_t size)
{
	const uint64_t ones = ~0ULL / 255, high = ones << 7;

	for (size_t i = 0; i < size; i += 8) {
		uint64_t word, mixed, found;

		memcpy(&word, from + i, 8);
		memcpy(to + i, &word, 8);
		mixed = word ^ ones * '\n';
		found = (mixed - ones) & ~mixed & high;
		if (found != 0) {
			size_t at = i + (size_t)__builtin_ctzll(found) / 8;

			return at < size ? at : size;
		}
	}
	return size;
}

/* Begin the next segment, with the line that would pass this one; `need` is its length. */
static void
turn_over(struct log *log, size_t need)
{
	size_t at = used;

	flush(log);
	/* Without a next segment this one goes on, and the next try comes a segment later. */
	if (log->size > 0 && open_segment(log, log->segment + 1) < 0)
		log->limit = log->size + log->segment_bytes;
	memmove(output, output + at, need);
}

/*
 * Put a line from the input, or a part of one, into output. Returns how many bytes of the input that
 * took; 0 when neither a newline nor a part of full length is there, and `last` is not set.
 */
static inline size_t
emit(struct log *log, const char *text, size_t size, bool last)
{
	size_t length, need, taken;
	char *line;

	if (used + PREFIX_SIZE + MAX_LINE + 1 > WRITE_SIZE)
		flush(log);
	if (log->gap > 0 && used == 0)
		announce(log);
	line = output + used;
	memcpy(line, prefix, PREFIX_SIZE);
	/* One byte more than a line may have: a newline there still ends it. */
	length = copy_line(line + PREFIX_SIZE, text, size > MAX_LINE ? MAX_LINE + 1 : size);
	line[TAG] = length < size && length <= MAX_LINE ? 'F' : 'P';
	if (line[TAG] == 'P' && length <= MAX_LINE && !last)
		return 0;
	taken = line[TAG] == 'F' ? length + 1 : length > MAX_LINE ? MAX_LINE : length;
	length = length > MAX_LINE ? MAX_LINE : length;
	need = PREFIX_SIZE + length + 1;
	line[need - 1] = '\n';
	if (log->size + used + need > log->limit && log->size + used > 0)
		turn_over(log, need);
	used += need;
	return taken;
}

/*
 * Read a pipe once and write its lines to the log. Returns how many bytes came, 0 at the end, when
 * what is left is written as a part that no newline ends, and -1 when there is nothing to read now.
 */
ssize_t
log_read(struct log *log, struct stream *stream, bool is_stderr)
{
	char *at = input, *end;
	size_t taken;
	ssize_t n = read(stream->fd, input + stream->held, READ_SIZE);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -1;
	if (n < 0)
		n = 0;
	memcpy(input, stream->line, stream->held);
	end = input + stream->held + n;
	stamp(is_stderr);
	while (at < end && (taken = emit(log, at, (size_t)(end - at), n == 0)) > 0)
		at += taken;
	stream->held = (uint32_t)(end - at);
	memcpy(stream->line, at, stream->held);
	flush(log);
	return n;
}
