/* record_fuzz.c - any record fits where records go, and its file says the same with the right checksum. */
#include "target.h"

static uint8_t file[16 + MAX_RECORD];
static size_t file_size;

static ssize_t written(int fd, const char *path, const uint8_t *bytes, size_t size, off_t at)
{
	(void)fd;
	(void)path;
	MAKE_SURE(at == 0 && size <= sizeof(file));
	memcpy(file, bytes, size);
	file_size = size;
	return (ssize_t)size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record record = { .run = 0 };
	uint8_t bytes[MAX_RECORD];
	struct writer out = { bytes, bytes + sizeof(bytes), false };
	struct reader in = input_of(data, size), name;
	uint32_t length, crc;
	int fd = -1;

	supervisor_enclosed(true);
	take(&in, &record, offsetof(struct record, executable));
	name = take_part(&in);
	if (name.at == name.end)
		return -1;
	for (size_t i = 0; i < MAX_NAME && name.at + i < name.end; i++)
		record.executable[i] = name.at[i] && name.at[i] != '/' ? (char)name.at[i] : '.';
	take(&in, (uint8_t *)&record + offsetof(struct record, pid),
	     sizeof(record) - offsetof(struct record, pid));
	record.how %= 3;
	record.core &= 1;
	record.reason = record.how == 0 ? 0 : record.reason | 1;
	record.known &= (1U << KEYS) - 2;

	record_put(&out, &record);
	MAKE_SURE(!out.full);
	memcpy(&length, bytes, 4);
	MAKE_SURE((size_t)(out.at - bytes) == length + 4);
	check_record((struct reader){ bytes + 4, out.at, false });
	world.written = written;
	MAKE_SURE(record_write(&fd, &record) == 0 && file_size == length + 16);
	memcpy(&crc, file + 12, 4);
	MAKE_SURE(memcmp(file + 8, &length, 4) == 0 && memcmp(file + 16, bytes + 4, length) == 0);
	MAKE_SURE(crc == crc32(file + 16, length));
	world_close(fd);
	supervisor_forget();
	return 0;
}
