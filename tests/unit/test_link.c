// SPDX-License-Identifier: MIT
/*
 * The public surface: header, version script and shared library name the same functions, and the
 * headers compile as C and as C++, alone and beside the kernel's.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#define NAMES 128

struct names {
	char name[NAMES][64];
	size_t count;
};

static char root[PATH_MAX];

/* The sources: $CORDBMEM_ROOT, or seen from build/tests/unit. */
static int find_root(void **state)
{
	const char *given = getenv("CORDBMEM_ROOT");
	ssize_t length;

	(void)state;
	if (given) {
		snprintf(root, sizeof(root), "%s", given);
		return 0;
	}
	length = readlink("/proc/self/exe", root, sizeof(root) - 1);
	if (length < 0)
		return -1;
	root[length] = 0;
	for (int up = 0; up < 4 && strrchr(root, '/'); up++)
		*strrchr(root, '/') = 0;
	return 0;
}

static char *read_file(const char *path)
{
	char full[PATH_MAX + 64];
	char *text = calloc(1, 1 << 20);
	FILE *file;

	snprintf(full, sizeof(full), "%s/%s", root, path);
	file = fopen(full, "re");
	if (!file)
		fail_msg("%s cannot be read; set CORDBMEM_ROOT", full);
	assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
	fclose(file);
	return text;
}

static void add_name(struct names *names, const char *start, size_t length)
{
	assert_true(names->count < NAMES && length < sizeof(names->name[0]));
	memcpy(names->name[names->count], start, length);
	names->name[names->count++][length] = 0;
}

static size_t word_length(const char *text)
{
	return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
}

/* The functions that a header declares: the word before the first bracket. */
static void names_of(struct names *names, const char *header)
{
	char *text = read_file(header), *at = text;

	if (strstr(at, "__attribute__"))
		at = strstr(at, "__attribute__"); /* past the definition of the macro */
	while ((at = strstr(at, "\nCORDBMEM_API"))) {
		char *bracket = strchr(at, '('), *start = bracket;

		while (start > at && word_length(start - 1) >= (size_t)(bracket - start + 1))
			start--;
		add_name(names, start, (size_t)(bracket - start));
		at = bracket;
	}
	free(text);
}

static void header_names(struct names *names)
{
	names_of(names, "userlib/include/cordbmem/cordbmem.h");
	names_of(names, "userlib/include/cordbmem/com.h");
	names_of(names, "userlib/include/cordbmem/coreclr.h");
}

static void map_names(struct names *names)
{
	char *text = read_file("userlib/libcordbmem.map");

	for (char *at = strstr(text, "global:"), *end = strstr(text, "local:");
	     (at = strstr(at, "cordbmem_")) && at < end; at += word_length(at)) {
		assert_int_equal(';', at[word_length(at)]);
		add_name(names, at, word_length(at));
	}
	free(text);
}

static void sort(struct names *names)
{
	qsort(names->name, names->count, sizeof(names->name[0]),
	      (int (*)(const void *, const void *))strcmp);
}

static void assert_same(struct names *a, struct names *b)
{
	sort(a);
	sort(b);
	for (size_t i = 0; i < a->count && i < b->count; i++)
		assert_string_equal(a->name[i], b->name[i]);
	assert_int_equal(a->count, b->count);
	assert_true(a->count > 20);
}

static void version_script_lists_what_the_headers_declare(void **state)
{
	struct names header = { .count = 0 }, map = { .count = 0 };

	(void)state;
	header_names(&header);
	map_names(&map);
	assert_same(&header, &map);
}

static void shared_library_exports_that_and_nothing_else(void **state)
{
	struct names header = { .count = 0 }, library = { .count = 0 };
	char command[PATH_MAX + 128], line[256], name[128], kind;
	FILE *pipe;

	(void)state;
	snprintf(command, sizeof(command), "%s/build/libcordbmem.so", root);
	/* NOLINTNEXTLINE(cert-env33-c): our own command */
	if (access(command, R_OK) || system("command -v nm >/dev/null")) {
		print_message("# no build/libcordbmem.so, or no nm\n");
		skip();
	}
	snprintf(command, sizeof(command), "nm -D --defined-only '%s/build/libcordbmem.so'", root);
	pipe = popen(command, "re"); /* NOLINT(cert-env33-c) */
	assert_non_null(pipe);
	while (fgets(line, sizeof(line), pipe)) {
		assert_int_equal(2, sscanf(line, "%*x %c %127s", &kind, name));
		if (kind != 'A') /* the version itself */
			add_name(&library, name, word_length(name));
	}
	assert_int_equal(0, pclose(pipe));
	header_names(&header);
	assert_same(&header, &library);
}

/* Compile one line of source; skips without that compiler. */
static void compile(const char *compiler, const char *options, const char *source)
{
	char command[3 * PATH_MAX];

	snprintf(command, sizeof(command), "command -v %s >/dev/null", compiler);
	if (system(command)) { /* NOLINT(cert-env33-c) */
		print_message("# there is no %s\n", compiler);
		skip();
	}
	snprintf(command, sizeof(command),
		 "printf '%%b' '%s' | %s %s -Wall -Wextra -Werror -pedantic -fsyntax-only "
		 "-I'%s/userlib/include' -I'%s/uapi' -",
		 source, compiler, options, root, root);
	assert_int_equal(0, system(command)); /* NOLINT(cert-env33-c) */
}

#define USE                                                             \
	"#include <cordbmem/cordbmem.h>\\n"                             \
	"struct cordbmem_options o = CORDBMEM_OPTIONS_INIT;\\n"         \
	"struct cordbmem_error e = CORDBMEM_ERROR_INIT;\\n"             \
	"HRESULT f(struct cordbmem_process *p, BYTE *b, SIZE_T *r);\\n" \
	"HRESULT f(struct cordbmem_process *p, BYTE *b, SIZE_T *r)\\n"  \
	"{ return cordbmem_ReadMemory(p, (CORDB_ADDRESS)4096, (DWORD)16, b, r); }\\n"

static void headers_compile_as_c(void **state)
{
	(void)state;
	compile("cc", "-x c -std=c11 -Wconversion", USE);
	compile("cc", "-x c -std=c17 -Wstrict-prototypes", "#include <cordbmem/errors.h>\\n");
	compile("cc", "-x c -std=c17", "#include <cordbmem/types.h>\\n");
}

static void headers_compile_as_cpp(void **state)
{
	(void)state;
	compile("c++", "-x c++ -std=c++11", USE);
	compile("c++", "-x c++ -std=c++20", USE);
}

static void headers_go_with_the_kernels(void **state)
{
	(void)state;
	/* The kernel's headers use GNU extensions. */
	compile("cc", "-x c -std=gnu17 -Wno-pedantic", "#include <linux/cordbmem.h>\\n" USE);
	compile("cc", "-x c -std=gnu17 -Wno-pedantic", USE "#include <linux/cordbmem.h>\\n");
}

static void types_are_those_of_the_pal(void **state)
{
	(void)state;
	/* As in CoreCLR's pal_mstypes.h and cordebug.h on x86-64. */
	compile("c++", "-x c++ -std=c++17",
		"typedef int LONG; typedef LONG HRESULT; typedef unsigned char BYTE;\\n"
		"typedef unsigned int DWORD; typedef unsigned long ULONG64;\\n"
		"typedef ULONG64 CORDB_ADDRESS; typedef unsigned long ULONG_PTR;\\n"
		"typedef ULONG_PTR SIZE_T;\\n" USE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version_script_lists_what_the_headers_declare),
		cmocka_unit_test(shared_library_exports_that_and_nothing_else),
		cmocka_unit_test(headers_compile_as_c),
		cmocka_unit_test(headers_compile_as_cpp),
		cmocka_unit_test(headers_go_with_the_kernels),
		cmocka_unit_test(types_are_those_of_the_pal),
	};

	return cmocka_run_group_tests_name("link", tests, find_root, NULL);
}
