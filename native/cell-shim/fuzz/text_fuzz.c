/* text_fuzz.c - a number in a file of the kernel, found as another reader finds it. */
#include "target.h"

#include <stdlib.h>

/* The first line that begins with the key and a blank decides. */
static bool expect(const char *text, const char *key, uint64_t *value)
{
	size_t length = strlen(key);
	char *copy = strdup(text), *rest = copy, *line;
	bool found = false;

	while (!found && (line = strsep(&rest, "\n"))) {
		if (length > 0 && (strncmp(line, key, length) != 0 || line[length] != ' '))
			continue;
		line += length > 0 ? length + 1 : 0;
		*value = strtoull(line, NULL, 10);
		found = strspn(line, "0123456789") > 0;
		break;
	}
	free(copy);
	return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const keys[] = { "",          "populated",  "oom_kill",
					    "user_usec", "usage_usec", "throttled_time" };
	uint64_t value = 7, expected = 7;
	char *text;
	const char *key;

	if (size == 0 || size > PAGE)
		return -1;
	key = keys[data[0] % 6];
	text = strndup((const char *)data + 1,
		       size - 1); /* of its size, so that ASan sees the end */
	if (text_value(text, key, &value))
		MAKE_SURE(expect(text, key, &expected) && value == expected);
	else
		MAKE_SURE(!expect(text, key, &expected) && value == 7);
	free(text);
	return 0;
}
