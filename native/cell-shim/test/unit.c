/*
 * unit.c - the parts of the supervisor that only compute, under ASan and UBSan: frames, lines, records
 * and cgroup files. Prints TAP.
 */
#include "supervisor.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int passed, failed;

#define CHECK(fact)                                                                                \
	do {                                                                                       \
		if (fact)                                                                          \
			passed++;                                                                  \
		else                                                                               \
			printf("not ok %d - %s:%d %s\n", passed + ++failed, __func__, __LINE__,    \
			       #fact);                                                             \
	} while (0)

/* The supervisor's own gives pages back to the kernel; here nothing is to be saved. */
void give_back(void *memory, size_t size)
{
	(void)memory;
	(void)size;
}

struct cell cell = { .v2 = -1, .freezer = -1 };
static char directory[] = "/tmp/aurae-unit-XXXXXX";
static char line_bytes[2][MAX_LINE];

/* A frame that is cut anywhere is bad, and nothing of it is read beyond its end. */
static void test_truncation(void)
{
	uint8_t bytes[64];
	struct writer out = { bytes, bytes + sizeof(bytes), false };

	put_u64(&out, 7);
	put_text(&out, "web");
	put_u32(&out, 2);
	put_text(&out, "a");
	put_text(&out, "");
	put_u16(&out, 9);
	for (size_t size = 0; size <= (size_t)(out.at - bytes); size++) {
		uint8_t *copy = malloc(size + 1); /* of this size, so that ASan sees the end */
		struct reader in = { copy, copy + size, false };
		uint32_t count;
		uint64_t run;
		bool whole = size == (size_t)(out.at - bytes);

		memcpy(copy, bytes, size);
		run = take_u64(&in);
		CHECK(!whole || (run == 7 && strcmp(take_text(&in, 8), "web") == 0));
		if (!whole)
			take_text(&in, 8);
		count = take_count(&in);
		for (uint32_t i = 0; i < count; i++)
			take_text(&in, 8);
		CHECK(!whole || (count == 2 && take_u16(&in) == 9));
		if (!whole)
			take_u16(&in);
		CHECK(take_end(&in) == whole);
		free(copy);
	}
}

/* Counts beyond the frame, texts too long or with a NUL, and bytes left over are refused. */
static void test_bad_frames(void)
{
	uint8_t over[] = { 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0 };
	uint8_t nul[] = { 2, 0, 0, 0, 'a', 0 };
	uint8_t left[] = { 1, 0, 0, 0, 'a', 'b' };
	struct reader in = { over, over + sizeof(over), false };

	CHECK(take_count(&in) == 0 && in.bad && !take_end(&in));
	in = (struct reader){ over, over + sizeof(over), false };
	CHECK(*take_text(&in, ~0U) == 0 && in.bad);
	in = (struct reader){ nul, nul + sizeof(nul), false };
	CHECK(*take_text(&in, 8) == 0 && in.bad);
	in = (struct reader){ left, left + sizeof(left), false };
	CHECK(strcmp(take_text(&in, 8), "a") == 0 && !in.bad && !take_end(&in));
	in = (struct reader){ left, left + 5, false };
	left[0] = 1;
	left[4] = 'a';
	CHECK(*take_text(&in, 0) == 0 && in.bad);
}

/* What does not fit is not written, and stays not written. */
static void test_full_writer(void)
{
	uint8_t bytes[12];
	struct writer out = { bytes, bytes + sizeof(bytes), false };

	frame_begin(&out, STATE, 3);
	put_u32(&out, 1);
	CHECK(out.full && out.at == bytes + FRAME_HEADER);
	put_u8(&out, 1);
	CHECK(out.at == bytes + FRAME_HEADER);
	frame_end(bytes, &out);
	CHECK(memcmp(bytes, "\0\0\0\0\x0b\0\3\0\0\0", FRAME_HEADER) == 0);
}

static struct record record = { .run = 1, .executable = "web" };

/* Open a log with one stream that reads `text`; `name` makes its path. */
static void open_log(struct log *log, struct stream *stream, uint64_t segment_bytes,
		     const char *text, size_t size)
{
	FILE *file = tmpfile();

	record.run++;
	record.dropped = 0;
	cell.logs = open(directory, O_PATH | O_DIRECTORY);
	cell.segment_bytes = segment_bytes;
	cell.segments_kept = 2;
	*log = (struct log){ .record = &record };
	fwrite(text, 1, size, file);
	rewind(file);
	*stream = (struct stream){ .fd = dup(fileno(file)), .line = line_bytes[0] };
	fclose(file);
	lseek(stream->fd, 0, SEEK_SET);
	CHECK(log_open(log) == 0);
}

/* Read all of it, close it, and return a segment as text, each line without its timestamp. */
static const char *read_log(struct log *log, struct stream *stream, int segment)
{
	static char shown[1 << 20];
	char path[256], *line = NULL;
	size_t room = 0, used = 0;
	ssize_t n;
	FILE *file;

	if (stream->fd >= 0) {
		while (log_read(log, stream, false) > 0)
			;
		close(stream->fd);
		stream->fd = -1;
		log_close(log, false);
		close(cell.logs);
	}
	snprintf(path, sizeof(path), segment ? "%s/web/%d.log.%d" : "%s/web/%d.log", directory,
		 (int)record.run, segment);
	file = fopen(path, "r");
	shown[0] = 0;
	while (file && (n = getline(&line, &room, file)) > 31) {
		memcpy(shown + used, line + 31, (size_t)n - 31);
		used += (size_t)n - 31;
		shown[used] = 0;
	}
	free(line);
	if (file)
		fclose(file);
	return shown;
}

/* Lines of max-1, max and max+1 bytes, with and without a newline at the end. */
static void test_long_lines(void)
{
	static char text[3 * MAX_LINE], expected[4 * MAX_LINE];
	struct stream stream;
	struct log log;

	memset(text, 'x', sizeof(text));
	for (size_t size = MAX_LINE - 1; size <= MAX_LINE + 1; size++)
		for (int newline = 0; newline < 2; newline++) {
			size_t over = size > MAX_LINE ? size - MAX_LINE : 0;
			int at = 0;

			text[size] = newline ? '\n' : 'x';
			open_log(&log, &stream, 1 << 30, text, size + (size_t)newline);
			if (over > 0)
				at = sprintf(expected, "stdout P %.*s\n", MAX_LINE, text);
			sprintf(expected + at, "stdout %c %.*s\n", newline ? 'F' : 'P',
				(int)(over > 0 ? over : size), text);
			CHECK(strcmp(read_log(&log, &stream, 0), expected) == 0);
			text[size] = 'x';
		}
}

/* Every byte but the newline passes as it is; an empty line is a line; the end needs none. */
static void test_bytes(void)
{
	static const char text[] = "a\n\nb\r\xff\x80\n\tc";
	struct stream stream;
	struct log log;

	open_log(&log, &stream, 1 << 30, text, sizeof(text) - 1);
	CHECK(strcmp(read_log(&log, &stream, 0),
		     "stdout F a\nstdout F \nstdout F b\r\xff\x80\nstdout P \tc\n") == 0);
}

/* A million small lines, cut anywhere by the reads: none lost, none doubled. */
static void test_many_lines(void)
{
	enum { COUNT = 20000 };
	static char text[COUNT * 8], expected[COUNT * 20];
	size_t size = 0, wanted = 0;
	struct stream stream;
	struct log log;

	for (int i = 0; i < COUNT; i++) {
		size += (size_t)sprintf(text + size, "%d\n", i);
		wanted += (size_t)sprintf(expected + wanted, "stdout F %d\n", i);
	}
	open_log(&log, &stream, 1 << 30, text, size);
	CHECK(strcmp(read_log(&log, &stream, 0), expected) == 0);
}

/* A segment ends before the line that would pass it, and only the newest are kept. */
static void test_rotation(void)
{
	struct stream stream;
	struct log log;

	open_log(&log, &stream, 2 * (40 + 2), "1\n2\n3\n4\n5\n", 10);
	CHECK(strcmp(read_log(&log, &stream, 2), "stdout F 5\n") == 0);
	CHECK(strcmp(read_log(&log, &stream, 1), "stdout F 3\nstdout F 4\n") == 0);
	CHECK(strcmp(read_log(&log, &stream, 0), "") == 0); /* removed */
	CHECK(log.segment == 2 && record.dropped == 0);
	open_log(&log, &stream, 1, "1\n2\n", 4);
	CHECK(strcmp(read_log(&log, &stream, 1), "stdout F 2\n") == 0); /* a line each, at least */
}

/* A full disk: the file ends with a whole line, lines are counted, and the gap is told of. */
static void test_full_disk(void)
{
	static char text[256 * 101];
	struct stream stream;
	struct log log;
	struct stat status;
	const char *shown;
	int fd, lines = 0;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", directory, "tmpfs", 0, "size=16k") < 0) {
		printf("ok # SKIP a small file system needs root\n");
		return;
	}
	memset(text, 'x', sizeof(text));
	for (size_t i = 100; i < sizeof(text); i += 101)
		text[i] = '\n';
	open_log(&log, &stream, 1 << 30, text, sizeof(text));
	CHECK(log_read(&log, &stream, false) == (ssize_t)sizeof(text));
	fd = log.fd;
	CHECK(fstat(fd, &status) == 0 && status.st_size == (off_t)log.size);
	CHECK(log.size % 141 == 0 && log.size > 0);
	CHECK(record.dropped == 256 - log.size / 141 && log.gap == record.dropped);
	mount(NULL, directory, NULL, MS_REMOUNT, "size=64k");
	lseek(stream.fd, 0, SEEK_SET);
	shown = read_log(&log, &stream, 0);
	CHECK(log.gap == 0);
	CHECK(strstr(shown, "stdout F:dropped=") != NULL);
	for (const char *at = shown; (at = strstr(at, "stdout F x")); at++)
		lines++;
	CHECK(lines == 512 - (int)record.dropped);
	/* A gap that the end of a segment makes is told of before the line that begins the next one. */
	mount(NULL, directory, NULL, MS_REMOUNT, "size=80k");
	open_log(&log, &stream, 1 << 16, text, sizeof(text));
	log.gap = 7;
	log.size = 1 << 16;
	CHECK(ftruncate(log.fd, 1 << 16) == 0);
	CHECK(strncmp(read_log(&log, &stream, 1), "stdout F:dropped=7 \nstdout F x", 30) == 0);
	umount2(directory, MNT_DETACH);
}

/* A record of every usage, of none, and the checksum that other programs make too. */
static void test_record(void)
{
	struct record full = { .run = ~0ULL, .pid = 4, .status = -1, .dropped = 3 };
	uint8_t none[MAX_RECORD], all[MAX_RECORD], file[16 + MAX_RECORD];
	struct writer begun = { none, none + sizeof(none), false };
	struct writer ended = { all, all + sizeof(all), false };
	int fd = -1;
	uint32_t length, crc;

	cell.runs = open(directory, O_PATH | O_DIRECTORY);
	CHECK(crc32((const uint8_t *)"123456789", 9) == 0xcbf43926);
	memset(full.executable, 'x', MAX_NAME);
	record_put(&begun, &full);
	CHECK(record_write(&fd, &full) == 0);
	full.known = 0xfe;
	record_put(&ended, &full);
	CHECK(record_write(&fd, &full) == 0);
	CHECK(!ended.full && ended.at - all == begun.at - none + 7 * 10);
	close(fd);
	fd = openat(cell.runs, "18446744073709551615", O_RDONLY);
	memcpy(&length, all, 4);
	CHECK(read(fd, file, sizeof(file)) == (ssize_t)(16 + length));
	CHECK(ended.at - all == 4 + (ssize_t)length);
	CHECK(memcmp(file, "AURR\1\0\0\0", 8) == 0 && memcmp(file + 8, &length, 4) == 0);
	memcpy(&crc, file + 12, 4);
	CHECK(crc == crc32(file + 16, length) && memcmp(file + 16, all + 4, length) == 0);
	close(fd);
	close(cell.runs);
}

/* Keys are whole words at the beginning of a line; what is no number is not there. */
static void test_cgroup_files(void)
{
	uint64_t value = 7;

	CHECK(text_value("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", "oom_kill", &value) &&
	      value == 3);
	CHECK(text_value("18446744073709551615\n", "", &value) && value == ~0ULL);
	value = 7;
	CHECK(!text_value("max\n", "", &value) && !text_value("", "a", &value));
	CHECK(!text_value("", "", &value) && !text_value("a b\n", "a", &value));
	CHECK(!text_value("xa 1\n", "a", &value) && value == 7);
	CHECK(text_value("populated 0\nfrozen 1", "frozen", &value) && value == 1);
}

/* Be a cgroup.procs that changes between two looks: `first`, then nothing. Ends when both were read. */
static void serve_members(const char *procs, const char *next, pid_t first)
{
	int fd = open(procs, O_WRONLY); /* waits for the reader */

	if (fd < 0 || rename(next, procs) < 0 || dprintf(fd, "%d\n", first) < 0)
		_exit(1);
	close(fd);
	fd = open(procs, O_WRONLY);
	_exit(fd < 0);
}

/* Signal the members of a directory with one process in it, which has left it again or not. */
static int signal_member(bool has_left)
{
	char group[64], procs[80], next[80];
	int status, code = 0;
	pid_t victim, server = 0;
	FILE *file;

	snprintf(group, sizeof(group), "%s/members", directory);
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", group);
	snprintf(next, sizeof(next), "%s/next", group);
	CHECK(mkdir(group, 0700) == 0);
	victim = fork();
	if (victim == 0)
		for (;;)
			pause();
	if (has_left) {
		CHECK(mkfifo(procs, 0600) == 0 && mkfifo(next, 0600) == 0);
		server = fork();
		if (server == 0)
			serve_members(procs, next, victim);
	} else if ((file = fopen(procs, "w"))) {
		fprintf(file, "%d\n", victim);
		fclose(file);
	}
	cell.members = 0;
	cell.group[0] = open(group, O_PATH | O_DIRECTORY);
	cgroup_signal(".", SIGUSR1);
	close(cell.group[0]);
	if (server > 0)
		CHECK(waitpid(server, &status, 0) == server && status == 0);
	/* What it was sent first ends it: SIGKILL comes after. */
	kill(victim, SIGKILL);
	if (waitpid(victim, &code, 0) != victim)
		code = 0;
	unlink(procs);
	rmdir(group);
	return WTERMSIG(code);
}

static void test_members(void)
{
	puts("# cgroup_signal() signals who is a member after its pidfd is open, and no other "
	     "(fault 45)");
	CHECK(signal_member(false) == SIGUSR1);
	CHECK(signal_member(true) == SIGKILL);
}

int main(void)
{
	char remove[64];

	if (!mkdtemp(directory))
		return 1;
	test_truncation();
	test_bad_frames();
	test_full_writer();
	test_long_lines();
	test_bytes();
	test_many_lines();
	test_rotation();
	test_record();
	test_cgroup_files();
	test_members();
	test_full_disk();
	snprintf(remove, sizeof(remove), "rm -r %s", directory);
	if (system(remove) != 0)
		failed++;
	printf("%d passed, %d failed\n", passed, failed);
	return failed > 0;
}
