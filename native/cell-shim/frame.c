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

/* A text as frames have it: its length, then its bytes. */
void
put_text(struct writer *out, const char *text)
{
	size_t length = strlen(text);

	put_u32(out, (uint32_t)length);
	put(out, text, length);
}

/* Put three strings together, and return them: a name, or part of a message. Too long ones are cut. */
const char *
join(struct text *text, const char *first, const char *second, const char *third)
{
	const char *parts[] = { first, second, third };
	size_t at = 0;

	for (int i = 0; i < 3; i++)
		for (const char *from = parts[i]; *from && at < TEXT_MAX - 1; from++)
			text->is[at++] = *from;
	text->is[at] = 0;
	return text->is;
}

/* A number in decimal digits. */
struct text
digits(uint64_t value)
{
	struct text text = { "" }, turned = { "" };
	size_t count = 0;

	do
		turned.is[count++] = (char)('0' + value % 10);
	while ((value /= 10) > 0);
	for (size_t i = 0; i < count; i++)
		text.is[i] = turned.is[count - 1 - i];
	return text;
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
