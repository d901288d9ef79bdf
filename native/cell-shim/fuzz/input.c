/* input.c - what is taken from the input of a target, and what files have in them. */
#include "world.h"

#include <stdarg.h>
#include <stdio.h>

static char text[4096];
static struct source text_source;

struct source *world_text(const char *format, ...)
{
	va_list list;
	int size;

	va_start(list, format);
	size = vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	text_source = (struct source){ (uint8_t *)text, (uint8_t *)text, (uint8_t *)text + size,
				       NULL, 0 };
	return &text_source;
}

struct reader input_of(const uint8_t *data, size_t size)
{
	return (struct reader){ (uint8_t *)data, (uint8_t *)data + size, false };
}

static struct reader take_sized(struct reader *in, size_t size)
{
	size_t left = (size_t)(in->end - in->at);
	struct reader part = { in->at, in->at + (size < left ? size : left), false };

	in->at = part.end;
	return part;
}

struct reader take_part(struct reader *in)
{
	return take_sized(in, take_u8(in));
}

struct reader take_long_part(struct reader *in)
{
	return take_sized(in, take_u16(in));
}

struct source source_of(struct reader bytes, struct reader *cuts, int error)
{
	return (struct source){ bytes.at, bytes.at, bytes.end, cuts, error };
}
