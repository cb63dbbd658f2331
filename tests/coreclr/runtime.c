// SPDX-License-Identifier: MIT
/* The functions of runtime.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime.h"

static bool append(char **list, size_t capacity, char *value)
{
	for (size_t i = 0; i + 1 < capacity; i++)
		if (!list[i]) {
			list[i] = value;
			return true;
		}
	return false;
}

static bool take(struct runtime *runtime, const char *key, char *value)
{
	if (!strcmp(key, "argument"))
		return append(runtime->arguments, 8, value);
	if (!strcmp(key, "variable"))
		return append(runtime->variables, 8, value);
	if (!strcmp(key, "version"))
		runtime->version = value;
	else if (!strcmp(key, "clr"))
		runtime->clr = value;
	else if (!strcmp(key, "dbi"))
		runtime->dbi = value;
	else if (!strcmp(key, "dac"))
		runtime->dac = value;
	else
		return false;
	return true;
}

static bool parse(struct runtime *runtime, FILE *file)
{
	char line[1024];

	while (fgets(line, sizeof(line), file)) {
		char *value = strchr(line, ' ');

		line[strcspn(line, "\n")] = 0;
		if (!value)
			return false;
		*value++ = 0;
		if (!take(runtime, line, strdup(value)))
			return false;
	}
	return runtime->version && runtime->clr && runtime->dbi && runtime->dac &&
	       runtime->arguments[0];
}

/* The reason that the script left, or that it never ran. */
static void explain(struct runtime *runtime, const char *folder)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/skip", folder);
	file = fopen(path, "re");
	if (!file || !fgets(runtime->reason, sizeof(runtime->reason), file))
		snprintf(runtime->reason, sizeof(runtime->reason),
			 "%s has no runtime; tests/coreclr/runtimes prepares it", folder);
	runtime->reason[strcspn(runtime->reason, "\n")] = 0;
	if (file)
		fclose(file);
}

bool runtime_load(struct runtime *runtime)
{
	const char *folder = getenv("CORDBMEM_RUNTIME");
	char path[4096];
	FILE *file;
	bool good;

	memset(runtime, 0, sizeof(*runtime));
	if (!folder)
		folder = "build/coreclr/sdk";
	snprintf(path, sizeof(path), "%s/runtime", folder);
	file = fopen(path, "re");
	if (!file) {
		explain(runtime, folder);
		return false;
	}
	good = parse(runtime, file);
	fclose(file);
	if (!good) {
		fprintf(stderr, "# %s is not what tests/coreclr/runtimes writes\n", path);
		abort();
	}
	return true;
}
