/* record.c - how a run was, as D and the files of the cell's directory have it. */
#include "supervisor.h"

#define RECORD_MAGIC   0x52525541U
#define RECORD_VERSION 1
#define RECORD_HEADER  16

/* CRC-32 of IEEE 802.3, four bits at a time: a table of 64 bytes is fast enough for 200 bytes. */
uint32_t
crc32(const uint8_t *bytes, size_t size)
{
	static const uint32_t table[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
		0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	uint32_t crc = ~0U;

	for (size_t i = 0; i < size; i++) {
		crc = table[(crc ^ bytes[i]) & 15] ^ crc >> 4;
		crc = table[(crc ^ (uint32_t)(bytes[i] >> 4)) & 15] ^ crc >> 4;
	}
	return ~crc;
}

/* Lay a record out; returns its length, which never passes MAX_RECORD. */
size_t
record_encode(const struct record *record, uint8_t *bytes, size_t size)
{
	struct writer out = { bytes, bytes + size, false };

	put_u64(&out, record->run);
	put_text(&out, record->executable);
	put_u32(&out, (uint32_t)record->pid);
	put_u64(&out, record->start);
	put_u64(&out, (uint64_t)record->started_at);
	put_u64(&out, (uint64_t)record->ended_at);
	put_u8(&out, record->how);
	put_u32(&out, (uint32_t)record->status);
	put_u8(&out, record->core);
	put_u8(&out, record->reason);
	put_u64(&out, record->dropped);
	put_u32(&out, (uint32_t)__builtin_popcount(record->usage.known));
	for (uint16_t key = 1; key < USAGE_KEYS; key++)
		if (record->usage.known & 1U << key) {
			put_u16(&out, key);
			put_u64(&out, record->usage.value[key]);
		}
	return out.full ? 0 : (size_t)(out.at - bytes);
}

/*
 * Write the record's file: made when the run has started, and written over by one pwrite() when it has
 * ended, through the same descriptor. A reader who comes meanwhile finds a wrong checksum, and reads
 * again. No rename: over a file that is there, ext4 would flush, for milliseconds. Returns 0 or -1.
 */
int
record_write(int *file, int directory, const struct record *record)
{
	uint8_t bytes[RECORD_HEADER + MAX_RECORD];
	size_t size = record_encode(record, bytes + RECORD_HEADER, MAX_RECORD);
	struct writer out = { bytes, bytes + RECORD_HEADER, false };

	put_u32(&out, RECORD_MAGIC);
	put_u16(&out, RECORD_VERSION);
	put_u16(&out, 0);
	put_u32(&out, (uint32_t)size);
	put_u32(&out, crc32(bytes + RECORD_HEADER, size));
	size += RECORD_HEADER;
	if (*file < 0)
		*file = openat(directory, digits(record->run).is,
			       O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return pwrite(*file, bytes, size, 0) == (ssize_t)size ? 0 : -1;
}
