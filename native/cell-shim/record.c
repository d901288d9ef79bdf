/* record.c - how a run was, as D and the files of the cell's directory have it. */
#include "supervisor.h"

#define RECORD_MAGIC   0x52525541U
#define RECORD_VERSION 1

/* CRC-32 of IEEE 802.3, bit by bit: fast enough for 200 bytes. */
uint32_t crc32(const uint8_t *bytes, size_t size)
{
	uint32_t crc = ~0U;

	for (size_t i = 0; i < size; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320U : 0);
	}
	return ~crc;
}

/* Lay a record out, after its length. */
void record_put(struct writer *out, const struct record *record)
{
	uint8_t *length = out->at;

	put_u32(out, 0);
	put_u64(out, record->run);
	put_text(out, record->executable);
	put_u32(out, (uint32_t)record->pid);
	put_u64(out, record->start);
	put_u64(out, (uint64_t)record->started_at);
	put_u64(out, (uint64_t)record->ended_at);
	put_u8(out, record->how);
	put_u32(out, (uint32_t)record->status);
	put_u8(out, record->core);
	put_u8(out, record->reason);
	put_u64(out, record->dropped);
	put_u32(out, (uint32_t)__builtin_popcount(record->known));
	for (uint16_t key = 1; key < KEYS; key++)
		if (record->known & 1U << key) {
			put_u16(out, key);
			put_u64(out, record->usage[key]);
		}
	memcpy(length, &(uint32_t){ (uint32_t)(out->at - length) - 4 }, 4);
}

/*
 * Write the record's file: made when the run has started, and written over by one pwrite() when it has
 * ended, through the same descriptor. A reader who comes meanwhile finds a wrong checksum, and reads
 * again. No rename: over a file that is there, ext4 would flush, for milliseconds. Returns 0 or -1.
 */
int record_write(int *file, const struct record *record)
{
	uint8_t bytes[16 + MAX_RECORD];
	struct writer header = { bytes, bytes + 16, false };
	struct writer body = { bytes + 12, bytes + sizeof(bytes), false };
	size_t size;

	/* The body begins with its length, which makes room for the checksum: the header has both. */
	record_put(&body, record);
	size = (size_t)(body.at - bytes);
	put_u32(&header, RECORD_MAGIC);
	put_u32(&header, RECORD_VERSION);
	put_u32(&header, (uint32_t)size - 16);
	put_u32(&header, crc32(bytes + 16, size - 16));
	if (*file < 0)
		*file = open_at(cell.runs, O_WRONLY | O_CREAT | O_EXCL, "%llu",
				(unsigned long long)record->run);
	return pwrite(*file, bytes, size, 0) == (ssize_t)size ? 0 : -1;
}
