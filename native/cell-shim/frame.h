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

/* clang-format off */
enum frame_type {
	HELLO = 1, ENCLOSE, ENCLOSED, FAILED, START, STARTED, STOP, STOPPED, SIGNAL, DONE, STATE,
	STATE_IS, END, ENDED, RUN, INIT_DIED,
};
/* clang-format on */

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
char *take_text(struct reader *in, size_t max);
uint32_t take_count(struct reader *in);
bool take_end(const struct reader *in);

void put(struct writer *out, const void *value, size_t size);
void put_text(struct writer *out, const char *text);
void frame_begin(struct writer *out, uint16_t type, uint32_t request);
void frame_end(uint8_t *frame, const struct writer *out);

/* take_u8(in), put_u8(out, value) and so on. */
#define FRAME_NUMBER(bits)                                                                         \
	static inline uint##bits##_t take_u##bits(struct reader *in)                               \
	{                                                                                          \
		uint##bits##_t value;                                                              \
		take(in, &value, sizeof(value));                                                   \
		return value;                                                                      \
	}                                                                                          \
	static inline void put_u##bits(struct writer *out, uint##bits##_t value)                   \
	{                                                                                          \
		put(out, &value, sizeof(value));                                                   \
	}
FRAME_NUMBER(8)
FRAME_NUMBER(16)
FRAME_NUMBER(32)
FRAME_NUMBER(64)

#endif
