/* stat_fuzz.c - /proc/<pid>/stat: a name of any bytes does not move the fields behind it. */
#include "target.h"

#include <stdio.h>

static struct source source;

static struct source *find(const char *path)
{
	(void)path;
	return &source;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader in = input_of(data, size), name;
	uint64_t flags = 0, start = take_u64(&in), wanted = take_u32(&in);
	char text[600];
	int length;

	world_reset();
	world.find = find;
	source = source_of(in, NULL, 0);
	process_start(7, &flags); /* whatever it is, it is read within bounds */

	name = take_part(&in);
	length = snprintf(text, sizeof(text), "7 (");
	memcpy(text + length, name.at, (size_t)(name.end - name.at));
	length += (int)(name.end - name.at);
	for (int i = 3; i < length; i++)
		text[i] = text[i] ? text[i] : ' '; /* the kernel ends a name at its NUL */
	length += snprintf(text + length, sizeof(text) - (size_t)length,
			   ") S 1 2 3 4 -1 %llu 1 2 3 4 5 6 7 8 20 0 1 0 %llu 2 3\n",
			   (unsigned long long)wanted, (unsigned long long)start);
	source = source_of(input_of((uint8_t *)text, (size_t)length), NULL, 0);
	MAKE_SURE(process_start(7, &flags) == start && flags == wanted);
	MAKE_SURE(world.open == 0);
	return 0;
}
