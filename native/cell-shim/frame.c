/* frame.c - reading and writing frames, byte by byte and within bounds. */
#include "frame.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "frames are laid out as memory is");

/* Take `size` bytes, or zeros when they are not there. */
void take(struct reader *in, void *value, size_t size)
{
	memset(value, 0, size);
	in->bad |= (size_t)(in->end - in->at) < size;
	if (in->bad)
		return;
	memcpy(value, in->at, size);
	in->at += size;
}

/*
 * Take a text of at most `max` bytes and return it with a NUL at its end; "" when it is bad. The text
 * moves one byte down, over its own length, which has been read: so nothing after it is touched.
 */
char *take_text(struct reader *in, size_t max)
{
	static char none[1];
	uint32_t length = take_u32(in);
	char *text = (char *)in->at - 1;

	in->bad |= length > max || length > (size_t)(in->end - in->at);
	if (in->bad || memchr(in->at, 0, length)) {
		in->bad = true;
		return none;
	}
	in->at += length;
	memmove(text, text + 1, length);
	text[length] = 0;
	return text;
}

/* Take the count of a list; one that the frame has no room for (an item has 4 bytes or more) is bad. */
uint32_t take_count(struct reader *in)
{
	uint32_t count = take_u32(in);

	in->bad |= count > (size_t)(in->end - in->at) / 4;
	return in->bad ? 0 : count;
}

/* Returns whether everything was there, and nothing is left over. */
bool take_end(const struct reader *in)
{
	return !in->bad && in->at == in->end;
}

/* Put `size` bytes. */
void put(struct writer *out, const void *value, size_t size)
{
	out->full |= (size_t)(out->end - out->at) < size;
	if (out->full)
		return;
	memcpy(out->at, value, size);
	out->at += size;
}

/* A text as frames have it: its length, then its bytes. */
void put_text(struct writer *out, const char *text)
{
	put_u32(out, (uint32_t)strlen(text));
	put(out, text, strlen(text));
}

/* Begin a frame. */
void frame_begin(struct writer *out, uint16_t type, uint32_t request)
{
	put_u32(out, 0);
	put_u16(out, type);
	put_u32(out, request);
}

/* End the frame that begins here: its length is known now. */
void frame_end(uint8_t *frame, const struct writer *out)
{
	uint32_t length = (uint32_t)(out->at - frame) - FRAME_HEADER;

	memcpy(frame, &length, sizeof(length));
}
