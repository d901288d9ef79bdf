/* failpoint.h - failpoints of the test build; see docs/failpoints.md. */
#ifndef AURAE_FAILPOINT_H
#define AURAE_FAILPOINT_H

#include <stdbool.h>

/* Do what is planned for this point. Returns whether it fails, with errno set then, and kept else. */
bool failpoint(const char *name);

#define FAILPOINT(name) failpoint(name)

#endif
