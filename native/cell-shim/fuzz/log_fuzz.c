/*
 * log_fuzz.c - any bytes in any reads, onto a disk that fails now and then. What the log says, read back,
 * is what was written; where lines are missing, their number is said in the log and in the record.
 */
#include "target.h"

#include <stdlib.h>

#define HEADER 40
#define HELD   (1 << 18)

/* What is on the disk: the segments one after another, of which only the last can grow. */
static uint8_t disk[HELD];
static size_t disk_size, segment_at;
static int disk_fd;

static ssize_t written(int fd, const char *path, const uint8_t *bytes, size_t size, off_t at)
{
	size_t most = size;

	(void)path;
	if (fd != disk_fd)
		segment_at = disk_size;
	disk_fd = fd;
	if (world.luck.at < world.luck.end)
		most = 1 + *world.luck.at++ * 7U; /* a short write */
	size = size < most ? size : most;
	MAKE_SURE(segment_at + (size_t)at + size <= sizeof(disk) &&
		  segment_at + (size_t)at <= disk_size);
	memcpy(disk + segment_at + at, bytes, size);
	if (segment_at + (size_t)at + size > disk_size)
		disk_size = segment_at + (size_t)at + size;
	return (ssize_t)size;
}

static void truncated(off_t size)
{
	disk_size = segment_at + (size_t)size;
}

/* One line of the log against what the program wrote; returns the lines that it says are missing. */
static uint64_t check_line(const uint8_t *line, size_t length, const uint8_t **text,
			   const uint8_t *end)
{
	size_t size = length - HEADER;
	bool whole;

	MAKE_SURE(length >= HEADER && memcmp(line + 10, "T", 1) == 0);
	MAKE_SURE(memcmp(line + 29, "Z stdout ", 9) == 0);
	if (memcmp(line + 38, "F:dropped=", 10) == 0)
		return strtoull((const char *)line + 48, NULL, 10);
	whole = line[38] == 'F';
	MAKE_SURE((whole || line[38] == 'P') && line[39] == ' ' && size <= MAX_LINE);
	if (!text)
		return 0;
	MAKE_SURE((size_t)(end - *text) >= size + whole && memcmp(*text, line + HEADER, size) == 0);
	*text += size;
	if (whole)
		MAKE_SURE(*(*text)++ == '\n');
	else
		MAKE_SURE(*text == end || size == MAX_LINE);
	return 0;
}

/* Lines as the log has them: one that is too long is several. */
static uint64_t count_lines(struct reader in)
{
	uint64_t lines = 0;

	while (in.at < in.end) {
		uint8_t *newline = memchr(in.at, '\n', (size_t)(in.end - in.at));
		size_t length = (size_t)((newline ? newline : in.end) - in.at);

		lines += length > MAX_LINE ? (length + MAX_LINE - 1) / MAX_LINE : 1;
		in.at = newline ? newline + 1 : in.end;
	}
	return lines;
}

/* Read the disk line by line, and compare with what went in. */
static void check_disk(const struct record *record, struct reader text)
{
	const uint8_t *from = text.at;
	uint64_t lines = 0, missing = 0, said;

	MAKE_SURE(disk_size == 0 || disk[disk_size - 1] == '\n');
	for (const uint8_t *at = disk, *next; at < disk + disk_size; at = next) {
		next = memchr(at, '\n', (size_t)(disk + disk_size - at));
		said = check_line(at, (size_t)(next++ - at), record->dropped == 0 ? &from : NULL,
				  text.end);
		missing += said;
		lines += said == 0;
	}
	MAKE_SURE(record->dropped > 0 || from == text.end);
	MAKE_SURE(lines + record->dropped == count_lines(text));
	MAKE_SURE(missing <= record->dropped);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char held[MAX_LINE];
	static uint8_t text[HELD / 8];
	struct record record = { .run = 1, .executable = "a" };
	struct stream stream = { .line = held };
	struct log log = { .record = &record };
	struct reader in = input_of(data, size), cuts, luck, end;
	struct source source;
	unsigned fill;

	supervisor_enclosed(true);
	cell.segment_bytes = 1 + (uint64_t)take_u16(&in) * 4;
	luck = take_part(&in);
	cuts = take_part(&in);
	fill = take_u16(&in) % MAX_LINE; /* some lines are long, which inputs are not */
	if ((size_t)(in.end - in.at) + fill > sizeof(text))
		return -1;
	memset(text, 'x', fill);
	memcpy(text + fill, in.at, (size_t)(in.end - in.at));
	end = input_of(text, fill + (size_t)(in.end - in.at));
	disk_size = segment_at = 0;
	source = source_of(end, &cuts, 0);
	MAKE_SURE(log_open(&log) == 0);
	disk_fd = log.fd;
	stream.fd = world_new_fd("pipe");
	world.fds[stream.fd - FIRST_FD].source = &source;
	world.written = written;
	world.truncated = truncated;
	world.luck = luck;
	while (log_read(&log, &stream, false) != 0)
		; /* it comes again after EAGAIN too: luck ends */
	check_disk(&record,
		   (struct reader){ end.at, source.at == end.end ? end.end : (uint8_t *)source.at,
				    false });
	world_close(stream.fd);
	log_close(&log, false);
	supervisor_forget();
	return 0;
}
