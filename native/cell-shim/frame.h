/* frame.h - the frames of the control socket; docs/design/shim.md is their description. */
#ifndef AURAE_FRAME_H
#define AURAE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_HEADER  10
#define FRAME_MAX     (1U << 20)
#define HELLO_MAGIC   0x53525541U
#define HELLO_VERSION 1

enum frame_type {
	HELLO = 1,
	ENCLOSE,
	ENCLOSED,
	FAILED,
	START,
	STARTED,
	STOP,
	STOPPED,
	SIGNAL,
	DONE,
	STATE,
	STATE_IS,
	END,
	ENDED,
	RUN,
	INIT_DIED,
};

/* Bytes that are read; what is not there makes it bad for ever, and reads as zero. */
struct reader {
	uint8_t *at, *end;
	bool bad;
};

/* Bytes that are written; what does not fit makes it full for ever. */
struct writer {
	uint8_t *at, *end;
	bool full;
};

void take(struct reader *in, void *value, size_t size);
uint8_t take_u8(struct reader *in);
uint16_t take_u16(struct reader *in);
uint32_t take_u32(struct reader *in);
uint64_t take_u64(struct reader *in);
char *take_text(struct reader *in, size_t max);
uint32_t take_count(struct reader *in);
bool take_end(const struct reader *in);

void put(struct writer *out, const void *value, size_t size);
void put_u8(struct writer *out, uint8_t value);
void put_u16(struct writer *out, uint16_t value);
void put_u32(struct writer *out, uint32_t value);
void put_u64(struct writer *out, uint64_t value);
void put_text(struct writer *out, const char *text);
void put_string(struct writer *out, const char *text);
void put_number(struct writer *out, uint64_t value);

uint8_t *frame_begin(struct writer *out, uint16_t type, uint32_t request);
void frame_end(struct writer *out, uint8_t *frame);

#endif
