/* frame.c - reading and writing frames, byte by byte and within bounds. */
#include "frame.h"

#include <string.h>

/* Take `size` bytes, or zeros when they are not there. */
void
take(struct reader *in, void *value, size_t size)
{
	if (in->bad || (size_t)(in->end - in->at) < size) {
		in->bad = true;
		memset(value, 0, size);
		return;
	}
	memcpy(value, in->at, size);
	in->at += size;
}

uint8_t
take_u8(struct reader *in)
{
	uint8_t value;

	take(in, &value, sizeof(value));
	return value;
}

uint16_t
take_u16(struct reader *in)
{
	uint16_t value;

	take(in, &value, sizeof(value));
	return value;
}

uint32_t
take_u32(struct reader *in)
{
	uint32_t value;

	take(in, &value, sizeof(value));
	return value;
}

uint64_t
take_u64(struct reader *in)
{
	uint64_t value;

	take(in, &value, sizeof(value));
	return value;
}

/*
 * Take a text of at most `max` bytes and return it with a NUL at its end; "" when it is bad. The text
 * moves one byte down, over its own length, which has been read: so nothing after it is touched.
 */
char *
take_text(struct reader *in, size_t max)
{
	static char none[1];
	uint32_t length = take_u32(in);
	char *text = (char *)in->at;

	if (in->bad || length > max || length > (size_t)(in->end - in->at) ||
	    memchr(text, 0, length)) {
		in->bad = true;
		return none;
	}
	in->at += length;
	memmove(text - 1, text, length);
	text[(ptrdiff_t)length - 1] = 0;
	return text - 1;
}

/* Take the count of a list; one that the frame has no room for (an item has 4 bytes or more) is bad. */
uint32_t
take_count(struct reader *in)
{
	uint32_t count = take_u32(in);

	if (count > (size_t)(in->end - in->at) / 4)
		in->bad = true;
	return in->bad ? 0 : count;
}

/* Returns whether everything was there, and nothing is left over. */
bool
take_end(const struct reader *in)
{
	return !in->bad && in->at == in->end;
}

void
put(struct writer *out, const void *value, size_t size)
{
	if (out->full || (size_t)(out->end - out->at) < size) {
		out->full = true;
		return;
	}
	memcpy(out->at, value, size);
	out->at += size;
}

void
put_u8(struct writer *out, uint8_t value)
{
	put(out, &value, sizeof(value));
}

void
put_u16(struct writer *out, uint16_t value)
{
	put(out, &value, sizeof(value));
}

void
put_u32(struct writer *out, uint32_t value)
{
	put(out, &value, sizeof(value));
}

void
put_u64(struct writer *out, uint64_t value)
{
	put(out, &value, sizeof(value));
}

/* A text as frames have it: its length, then its bytes. */
void
put_text(struct writer *out, const char *text)
{
	size_t length = strlen(text);

	put_u32(out, (uint32_t)length);
	put(out, text, length);
}

/* The bytes of a string alone: with put_number() they make names of files. */
void
put_string(struct writer *out, const char *text)
{
	put(out, text, strlen(text));
}

/* A number in decimal digits. */
void
put_number(struct writer *out, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + value % 10);
	while ((value /= 10) > 0);
	put(out, digits + at, sizeof(digits) - at);
}

/* Begin a frame; returns what frame_end() wants. */
uint8_t *
frame_begin(struct writer *out, uint16_t type, uint32_t request)
{
	uint8_t *frame = out->at;

	put_u32(out, 0);
	put_u16(out, type);
	put_u32(out, request);
	return frame;
}

/* End a frame: its length is known now. */
void
frame_end(struct writer *out, uint8_t *frame)
{
	uint32_t length;

	if (out->full)
		return;
	length = (uint32_t)(out->at - frame) - FRAME_HEADER;
	memcpy(frame, &length, sizeof(length));
}
