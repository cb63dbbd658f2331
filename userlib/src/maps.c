// SPDX-License-Identifier: MIT
/*
 * Reading /proc/PID/maps, and finding a name in it.
 */
#include "maps.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char deleted[] = " (deleted)";

/* Returns 0 or ENOMEM. A line that is not understood is left out. */
static int add_line(struct maps *maps, char *line)
{
	struct mapping *mapping = &maps->list[maps->count];
	unsigned long start, end, offset, inode;
	char rights[5], device[16];
	int at = 0;
	size_t length;

	/* The name may hold blanks, so it is the rest of the line. */
	if (sscanf(line, "%lx-%lx %4s %lx %15s %lu %n", &start, &end, rights, &offset, device,
		   &inode, &at) < 6)
		return 0;
	*mapping = (struct mapping){
		.start = start,
		.end = end,
		.offset = offset,
		.inode = inode,
		.executable = strchr(rights, 'x'),
	};
	memcpy(mapping->device, device, sizeof(device));

	line += at;
	length = strcspn(line, "\n");
	line[length] = 0;
	if (length > sizeof(deleted) - 1 && !strcmp(line + length - (sizeof(deleted) - 1), deleted))
		line[length - (sizeof(deleted) - 1)] = 0;
	mapping->name = strdup(line);
	if (!mapping->name)
		return ENOMEM;
	maps->count++;
	return 0;
}

static int make_room(struct maps *maps, size_t *room)
{
	struct mapping *list;

	if (maps->count < *room)
		return 0;
	*room = *room ? *room * 2 : 64;
	list = reallocarray(maps->list, *room, sizeof(*list));
	if (!list)
		return ENOMEM;
	maps->list = list;
	return 0;
}

int maps_read(pid_t pid, struct maps *maps)
{
	char path[32], *line = NULL;
	size_t room = 0, line_room = 0;
	FILE *file;
	int err = 0;

	*maps = (struct maps){ 0 };
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	file = fopen(path, "re");
	if (!file)
		return errno == ENOENT ? ESRCH : errno;

	while (!err && getline(&line, &line_room, file) > 0) {
		err = make_room(maps, &room);
		if (!err)
			err = add_line(maps, line);
	}
	/* Not ferror: that getline has no memory is no error of the file. */
	if (!err && !feof(file))
		err = errno;
	/* A process that has exited has no memory. */
	if (!err && !maps->count)
		err = ESRCH;
	free(line);
	fclose(file);
	if (err)
		maps_free(maps);
	return err;
}

void maps_free(struct maps *maps)
{
	for (size_t i = 0; i < maps->count; i++)
		free(maps->list[i].name);
	free(maps->list);
	*maps = (struct maps){ 0 };
}

bool maps_is_named(const struct mapping *mapping, const char *name)
{
	const char *path = mapping->name;
	size_t path_length = strlen(path), length = strlen(name);

	if (length > path_length || strcmp(path + path_length - length, name))
		return false;
	return length == path_length || path[path_length - length - 1] == '/';
}

static bool same_file(const struct mapping *a, const struct mapping *b)
{
	return a->inode == b->inode && !strcmp(a->device, b->device) && !strcmp(a->name, b->name);
}

bool maps_has_code(const struct maps *maps, const struct mapping *start)
{
	const struct mapping *end = maps->list + maps->count;
	const struct mapping *m = start;

	do {
		if (same_file(m, start) && m->executable)
			return true;
		m++;
	} while (m < end && !(same_file(m, start) && !m->offset));
	return false;
}

/* Bracketed names are no files, but the kernel may print them more than once. */
static bool continues(const struct mapping *a, const struct mapping *b)
{
	return !a->inode && !b->inode && a->end == b->start;
}

/*
 * The next mapping, from index *i on, of a file's first byte under that name, or
 * the first piece of what has a bracketed name.
 */
static const struct mapping *next_start(const struct maps *maps, const char *name, size_t *i)
{
	while (*i < maps->count) {
		const struct mapping *m = &maps->list[(*i)++];

		if (!maps_is_named(m, name) || m->offset)
			continue;
		if (m > maps->list && maps_is_named(m - 1, name) && continues(m - 1, m))
			continue;
		return m;
	}
	return NULL;
}

static bool is_mapped(const struct maps *maps, const char *name)
{
	for (size_t i = 0; i < maps->count; i++) {
		if (maps_is_named(&maps->list[i], name))
			return true;
	}
	return false;
}

enum maps_found maps_find(const struct maps *maps, const char *name, const struct mapping **found,
			  const struct mapping **other)
{
	const struct mapping *m;
	size_t i = 0, with_code = 0, count = 0;

	*found = NULL;
	*other = NULL;
	while ((m = next_start(maps, name, &i))) {
		bool code = maps_has_code(maps, m);

		if (*found && !same_file(*found, m)) {
			*other = m;
			return MAPS_AMBIGUOUS;
		}
		count++;
		with_code += code;
		if (!*found || (code && with_code == 1)) {
			*other = *found;
			*found = m;
		} else if (code || !with_code) {
			*other = m;
		}
	}
	if (!*found)
		return is_mapped(maps, name) ? MAPS_NO_START : MAPS_NOT_FOUND;
	return with_code == 1 || count == 1 ? MAPS_FOUND : MAPS_AMBIGUOUS;
}
