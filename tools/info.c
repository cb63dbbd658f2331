// SPDX-License-Identifier: MIT
/*
 * cordbmem info: what the module, the kernel and this program can do together.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <linux/cordbmem.h>

#include "out.h"
#include "tool.h"

#define SYSFS_MODULE "/sys/module/cordbmem"
#define SYSFS_DEVICE "/sys/class/misc/cordbmem/dev"

static const char help[] =
	"usage: cordbmem info\n"
	"\n"
	"Show the versions of program, library and module, what the module can do on this\n"
	"kernel, and its limits and parameters. If the module cannot be asked, say what is\n"
	"missing.\n"
	"\n"
	"  -h, --help   show this help\n"
	"\n"
	"The exit status is 0 when the module answered, 6 when it is not loaded, 4 when the\n"
	"caller may not open /dev/cordbmem.\n";

static const struct option long_options[] = {
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static void row(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void row(const char *name, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	out_format("%-10s  %s\n", name, text);
}

/* The first line of a small file; false if there is none. */
static bool read_line(const char *path, char *line, int size)
{
	FILE *file = fopen(path, "re");
	bool ok = file && fgets(line, size, file);

	if (file)
		fclose(file);
	if (ok)
		line[strcspn(line, "\n")] = 0;
	return ok;
}

static void show_software(void)
{
	struct utsname name;
	char version[64];

	row("program", "%s", CORDBMEM_VERSION);
	row("library", "%s", cordbmem_version());
	if (!uname(&name))
		row("kernel", "%s %s", name.release, name.machine);
	if (access(SYSFS_MODULE, F_OK) != 0)
		row("module", "not loaded");
	else if (read_line(SYSFS_MODULE "/version", version, sizeof(version)))
		row("module", "%s, loaded", version);
	else
		row("module", "loaded");
}

static void show_parameters(void)
{
	DIR *dir = opendir(SYSFS_MODULE "/parameters");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char path[PATH_MAX], value[256];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), SYSFS_MODULE "/parameters/%s", entry->d_name);
		if (read_line(path, value, sizeof(value)))
			row("parameter", "%s = %s", entry->d_name, value);
	}
	if (dir)
		closedir(dir);
}

static void show_node(void)
{
	struct stat node;

	if (stat(CORDBMEM_DEVICE, &node) != 0)
		row("device", "%s: %s", CORDBMEM_DEVICE, strerror(errno));
	else
		row("device", "%s, mode %04o, uid %u, gid %u", CORDBMEM_DEVICE,
		    node.st_mode & 07777U, node.st_uid, node.st_gid);
}

static void show_info(const struct cordbmem_info *info)
{
	static const struct {
		uint64_t bit;
		const char *name, *what;
	} features[] = {
		{ CORDBMEM_FEATURE_NOFAULT, "nofault", "reads of only what is in memory" },
		{ CORDBMEM_FEATURE_FORCE, "force",
		  "reads of pages that the target may not read itself" },
		{ CORDBMEM_FEATURE_WINDOW, "window", "live windows: reads without system calls" },
	};
	uint64_t known = 0;

	row("abi", "%u (this program was built for %u)", info->abi, CORDBMEM_ABI);
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		row("feature", "%-7s  %-3s  %s", features[i].name,
		    info->features & features[i].bit ? "yes" : "no", features[i].what);
		known |= features[i].bit;
	}
	if (info->features & ~known)
		row("feature", "0x%" PRIx64 " is unknown to this program",
		    (uint64_t)(info->features & ~known));
	row("limit", "%u elements in one READV", info->max_elements);
	row("limit", "pages of %u bytes", info->page_size);
}

/* What to do about a node that cannot be opened. */
static int fail_open(int err)
{
	bool loaded = access(SYSFS_MODULE, F_OK) == 0;
	char number[32];

	switch (err) {
	case ENOENT:
		if (!loaded)
			break;
		if (!read_line(SYSFS_DEVICE, number, sizeof(number)))
			snprintf(number, sizeof(number), "unknown");
		return fail(
			EXIT_NO_MODULE,
			"the module is loaded, but %s is not there: udev has not made it, or this "
			"is a container without it (device number %s)",
			CORDBMEM_DEVICE, number);
	case ENXIO:
	case ENODEV:
		if (!loaded)
			break;
		return fail(EXIT_NO_MODULE,
			    "%s is a stale node: remove it and load the module anew",
			    CORDBMEM_DEVICE);
	case EACCES:
	case EPERM:
		return fail(EXIT_REFUSED,
			    "%s may not be opened by uid %u: run as root, or have the "
			    "administrator give you the node (chgrp, chmod)",
			    CORDBMEM_DEVICE, geteuid());
	default:
		return fail(EXIT_FAILED, "cannot open %s: %s", CORDBMEM_DEVICE, strerror(err));
	}
	return fail(EXIT_NO_MODULE,
		    "the module is not loaded: 'insmod cordbmem.ko', or 'sudo make "
		    "load' in its source; 'cordbmem read --portable' does without it");
}

static int show_all(void)
{
	struct cordbmem_info info = { .size = sizeof(info) };
	int fd, err;

	show_software();
	show_node();
	fd = open(CORDBMEM_DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return fail_open(errno);
	err = ioctl(fd, CORDBMEM_IOC_INFO, &info) ? errno : 0;
	close(fd);
	if (err == ENOTTY)
		return fail(EXIT_NO_MODULE,
			    "%s does not answer as the module does: it is the node "
			    "of another driver",
			    CORDBMEM_DEVICE);
	if (err)
		return fail(EXIT_FAILED, "cannot ask the module: %s", strerror(err));
	show_info(&info);
	show_parameters();
	return EXIT_OK;
}

static int run(int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
		if (option == 'h')
			return show_help(&info_verb);
		return fail_option(&info_verb, option, argv);
	}
	if (optind < argc)
		return fail_usage(&info_verb, "info takes no arguments");
	return show_all();
}

const struct verb info_verb = {
	.name = "info",
	.summary = "show what the module can do, or what is missing",
	.help = help,
	.run = run,
};
