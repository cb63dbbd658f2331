// SPDX-License-Identifier: MIT
/*
 * The first process of the test VM: makes the host's root the guest's, loads the module, runs one
 * command, unloads the module, reports.
 *
 * tests/vm/run puts this program into the initramfs as /init together with /vm, a folder of small
 * files that say what to do: argv and env (NUL-separated), cwd, repo, modules (host paths), load
 * (kernel modules in /vm to insert, in order), cordbmem.ko (absent with --no-module).
 * Three virtio ports lead back to it: stdout, stderr and status. A status line is "exit N",
 * "signal N" or "fail WORDS"; the last one is "done".
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MODULE "cordbmem"
#define P9 "trans=virtio,version=9p2000.L,msize=512000"

struct mount_entry {
	const char *source, *target, *type;
	unsigned long flags;
	const char *data;
	bool optional;
};

static const struct mount_entry initramfs[] = {
	{ "devtmpfs", "/dev", "devtmpfs", 0, "mode=755", false },
	{ "proc", "/proc", "proc", 0, NULL, false },
	{ "sysfs", "/sys", "sysfs", 0, NULL, false },
};

/* Nobody changes the host's root under a running test, hence the lazy cache. */
static const struct mount_entry root[] = {
	{ "root", "/new", "9p", MS_RDONLY, P9 ",cache=loose", false },
	{ "/new", "/host", NULL, MS_BIND, NULL, false },
	{ "devtmpfs", "/new/dev", "devtmpfs", MS_NOSUID, "mode=755", false },
	{ "devpts", "/new/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=620,ptmxmode=666",
	  false },
	{ "tmpfs", "/new/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777", false },
	{ "mqueue", "/new/dev/mqueue", "mqueue", 0, NULL, true },
	{ "hugetlbfs", "/new/dev/hugepages", "hugetlbfs", 0, NULL, true },
	{ "proc", "/new/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, false },
	{ "sysfs", "/new/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, false },
	{ "securityfs", "/new/sys/kernel/security", "securityfs", 0, NULL, true },
	{ "debugfs", "/new/sys/kernel/debug", "debugfs", 0, NULL, true },
	{ "tracefs", "/new/sys/kernel/tracing", "tracefs", 0, NULL, true },
	{ "cgroup2", "/new/sys/fs/cgroup", "cgroup2", 0, NULL, true },
	{ "tmpfs", "/new/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777", false },
	{ "tmpfs", "/new/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755", false },
	{ "tmpfs", "/new/var/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777", true },
	{ "tmpfs", "/new/mnt", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755", true },
};

static int status_port = -1;
static int vm_folder = -1; /* /vm, which is out of sight once the root has moved */

/* ---- words to the runner ---- */

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static _Noreturn void give_up(const char *what, const char *name);

/* A status line; before the port is there, a line on the console. */
static void say(const char *format, ...)
{
	char line[1024];
	va_list args;
	int length;
	int fd = status_port;

	va_start(args, format);
	length = vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	if (length < 0)
		return;
	if ((size_t)length > sizeof(line) - 2)
		length = sizeof(line) - 2;
	line[length++] = '\n';
	if (fd < 0)
		fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (write(fd, line, (size_t)length) < 0)
		return;
	if (fd != status_port)
		close(fd);
}

/* Works without ACPI too; QEMU runs with -no-reboot and ends. */
static _Noreturn void end(void)
{
	sync();
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

static _Noreturn void give_up(const char *what, const char *name)
{
	say("vm-init: %s %s: %s", what, name, strerror(errno));
	end();
}

/* ---- files ---- */

/* The whole of a file, NUL-terminated, or NULL; never freed, for this program lives one command. */
static char *slurp(int folder, const char *path, size_t *size)
{
	size_t room = 65536, used = 0;
	char *text = malloc(room);
	int fd = openat(folder, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || !text)
		return NULL;
	for (;;) {
		ssize_t n = read(fd, text + used, room - used - 1);

		if (n <= 0)
			break;
		used += (size_t)n;
		if (room - used < 4096) {
			room *= 2;
			text = realloc(text, room);
			if (!text)
				return NULL;
		}
	}
	close(fd);
	text[used] = 0;
	if (size)
		*size = used;
	return text;
}

static char *setting(const char *name)
{
	char *text = slurp(vm_folder, name, NULL);

	if (!text)
		give_up("no setting", name);
	return text;
}

/* The NUL-separated strings of a setting as a NULL-terminated vector. */
static char **settings(const char *name)
{
	size_t size = 0, count = 0;
	char *text = slurp(vm_folder, name, &size);
	char **vector = calloc(size + 1, sizeof(*vector));

	if (!text || !vector)
		give_up("no setting", name);
	for (char *s = text; s < text + size; s += strlen(s) + 1)
		vector[count++] = s;
	return vector;
}

static void make_folders(const char *path)
{
	char copy[PATH_MAX];

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(copy, 0755);
		*slash = '/';
	}
	mkdir(copy, 0755);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		say("fail cannot write %s: %s", path, strerror(errno));
	close(fd);
}

/* ---- the way to the host's root ---- */

static void mount_all(const struct mount_entry *table, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct mount_entry *m = &table[i];

		if (access(m->target, F_OK) != 0)
			mkdir(m->target, 0755);
		if (mount(m->source, m->target, m->type, m->flags, m->data) != 0 && !m->optional)
			give_up("cannot mount", m->target);
	}
}

/* Takes the name from /vm and, unlike modprobe, knows nothing of dependencies. */
static void insert(int fd, const char *name)
{
	if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) != 0 && errno != EEXIST))
		give_up("cannot load", name);
	close(fd);
}

static void bind_mount(const char *from, const char *to)
{
	make_folders(to);
	if (mount(from, to, NULL, MS_BIND, NULL) != 0)
		give_up("cannot bind", to);
}

/* Shows a host folder again that one of our tmpfs hides. */
static void keep(const char *path)
{
	char from[PATH_MAX], to[PATH_MAX];

	snprintf(from, sizeof(from), "/host%s", path);
	snprintf(to, sizeof(to), "/new%s", path);
	if (access(to, F_OK) != 0)
		bind_mount(from, to);
}

static void build_root(void)
{
	char path[PATH_MAX], from[PATH_MAX];
	const char *repo = setting("repo");
	const char *modules = setting("modules");

	mkdir("/new", 0755);
	mkdir("/host", 0755);
	mount_all(root, sizeof(root) / sizeof(root[0]));
	keep(repo);
	keep(setting("cwd"));

	/*
	 * What was written before the guest died must have arrived, hence a cache that never holds
	 * writes back: "readahead", which before Linux 6.4 was called "mmap".
	 */
	snprintf(path, sizeof(path), "/new%s/build", repo);
	if (mount("build", path, "9p", 0, P9 ",cache=readahead") != 0 &&
	    mount("build", path, "9p", 0, P9 ",cache=mmap") != 0)
		give_up("cannot mount", path);

	/* For modprobe: the host's own modules are of no use here. */
	if (*modules && mount("tmpfs", "/new/lib/modules", "tmpfs", 0, "mode=755") == 0) {
		snprintf(from, sizeof(from), "/host%s", modules);
		snprintf(path, sizeof(path), "/new/lib/modules/%s", strrchr(modules, '/') + 1);
		bind_mount(from, path);
	}

	/* MS_MOVE and not a mere chroot, in which no user namespace can be made. */
	if (chdir("/new") != 0 || mount(".", "/", NULL, MS_MOVE, NULL) != 0 || chroot(".") != 0 ||
	    chdir("/") != 0)
		give_up("cannot move to", "/new");
}

/* The links that udev would make. */
static void make_links(void)
{
	static const char *const links[][2] = {
		{ "/proc/self/fd", "/dev/fd" },
		{ "/proc/self/fd/0", "/dev/stdin" },
		{ "/proc/self/fd/1", "/dev/stdout" },
		{ "/proc/self/fd/2", "/dev/stderr" },
	};

	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (symlink(links[i][0], links[i][1]) != 0)
			give_up("cannot link", links[i][1]);
}

/* An emulated CPU of a machine with other things to do clears a huge page for more than the 20 s that mean a lockup. */
static void be_patient(void)
{
	/* half of a soft lockup; the most there is */
	write_file("/proc/sys/kernel/watchdog_thresh", "60");
	write_file("/sys/module/rcupdate/parameters/rcu_cpu_stall_timeout", "120");
}

static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	ioctl(fd, SIOCSIFFLAGS, &request);
	close(fd);
}

/* Without udev a port is known by its name in sysfs only. */
static int open_port(const char *wanted)
{
	struct timespec nap = { .tv_nsec = 20 * 1000 * 1000 };

	/* The driver learns the ports' names after it was loaded. */
	for (int tries = 0; tries < 250; tries++) {
		DIR *dir = opendir("/sys/class/virtio-ports");
		struct dirent *entry;

		while (dir && (entry = readdir(dir))) {
			char path[PATH_MAX], *name;

			snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name",
				 entry->d_name);
			name = entry->d_name[0] == '.' ? NULL : slurp(AT_FDCWD, path, NULL);
			if (name && strncmp(name, wanted, strlen(wanted)) == 0) {
				snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
				closedir(dir);
				return open(path, O_WRONLY | O_CLOEXEC);
			}
		}
		if (dir)
			closedir(dir);
		nanosleep(&nap, NULL);
	}
	errno = ENOENT;
	return -1;
}

/* ---- the command ---- */

struct relay {
	int pipe[2];
	int port;
};

/* Hands on what is in the pipe now; false at its end. */
static bool hand_on(struct relay *relay)
{
	static char buffer[65536];
	ssize_t n;

	while ((n = read(relay->pipe[0], buffer, sizeof(buffer))) > 0) {
		for (ssize_t sent = 0; sent < n;) {
			ssize_t m = write(relay->port, buffer + sent, (size_t)(n - sent));

			if (m <= 0)
				break;
			sent += m;
		}
	}
	return n < 0 && errno == EAGAIN;
}

static _Noreturn void run_command(struct relay *out, struct relay *err, char **argv, char **env,
				  const char *cwd)
{
	sigset_t none;
	int null = open("/dev/null", O_RDONLY);
	int err_exec;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	dup2(null, 0);
	dup2(out->pipe[1], 1);
	dup2(err->pipe[1], 2);
	close(null);
	if (chdir(cwd) != 0) {
		fprintf(stderr, "vm: cannot enter %s: %s\n", cwd, strerror(errno));
		_exit(126);
	}
	clearenv();
	for (; *env; env++)
		putenv(*env);
	execvp(argv[0], argv);
	err_exec = errno;
	fprintf(stderr, "vm: cannot run %s: %s\n", argv[0], strerror(err_exec));
	_exit(err_exec == ENOENT ? 127 : 126);
}

/* Runs the command and whatever it leaves behind until there is nothing left of it. */
static void command(struct relay *out, struct relay *err)
{
	static char **argv, **env, *cwd; /* static, since nothing here is ever freed */
	struct pollfd fds[3];
	bool running = true;
	sigset_t child;
	pid_t pid, dead;
	int status;

	argv = settings("argv");
	env = settings("env");
	cwd = setting("cwd");
	if (!argv[0])
		give_up("empty", "argv");
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	if (pipe2(out->pipe, O_CLOEXEC) != 0 || pipe2(err->pipe, O_CLOEXEC) != 0)
		give_up("cannot make", "pipes");
	/* Only our ends: the command's are ordinary blocking ones. */
	fcntl(out->pipe[0], F_SETFL, O_NONBLOCK);
	fcntl(err->pipe[0], F_SETFL, O_NONBLOCK);

	pid = fork();
	if (pid < 0)
		give_up("cannot", "fork");
	if (pid == 0)
		run_command(out, err, argv, env, cwd);
	close(out->pipe[1]);
	close(err->pipe[1]);

	fds[0] = (struct pollfd){ .fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK),
				  .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = out->pipe[0], .events = POLLIN };
	fds[2] = (struct pollfd){ .fd = err->pipe[0], .events = POLLIN };
	while (running) {
		struct signalfd_siginfo info;

		if (poll(fds, 3, -1) < 0 && errno != EINTR)
			give_up("cannot", "poll");
		/* poll ignores a negative fd. */
		if (fds[1].revents && !hand_on(out))
			fds[1].fd = -1;
		if (fds[2].revents && !hand_on(err))
			fds[2].fd = -1;
		if (read(fds[0].fd, &info, sizeof(info)) < 0 && errno != EAGAIN)
			give_up("cannot read", "signalfd");
		while ((dead = waitpid(-1, &status, WNOHANG)) > 0) {
			if (dead != pid)
				continue;
			running = false;
			if (WIFSIGNALED(status))
				say("signal %d", WTERMSIG(status));
			else
				say("exit %d", WEXITSTATUS(status));
		}
	}

	/* Stray processes would keep the module in use. */
	kill(-1, SIGKILL);
	for (int tries = 0; waitpid(-1, NULL, WNOHANG) >= 0; tries++) {
		struct timespec nap = { .tv_nsec = 10 * 1000 * 1000 };

		if (tries == 1000) {
			say("fail a process that the command left behind cannot be killed");
			break;
		}
		nanosleep(&nap, NULL);
	}
	hand_on(out);
	hand_on(err);
}

/* ---- afterwards ---- */

static struct {
	uint64_t start, end;
} module_range;

static void note_module_range(void)
{
	char line[512], state[64];
	unsigned long long size, address;
	FILE *file = fopen("/proc/modules", "re");

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, MODULE " %llu %*s %*s %63s %llx", &size, state, &address) == 3) {
			module_range.start = address;
			module_range.end = address + size;
		}
	}
	if (file)
		fclose(file);
}

/* Whether a line of a kmemleak backtrace is in our module; after unloading it has no name left. */
static bool in_module(const char *line)
{
	const char *at = strstr(line, "] 0x");

	if (strstr(line, "[" MODULE "]"))
		return true;
	if (!at)
		return false;
	uint64_t address = strtoull(at + 2, NULL, 16);

	return address >= module_range.start && address < module_range.end;
}

static void check_leaks(void)
{
	const char *path = "/sys/kernel/debug/kmemleak";
	struct timespec age = { .tv_sec = 6 };
	char *report, *line, *save = NULL;

	if (access(path, W_OK) != 0)
		return;
	/* kmemleak reports nothing younger than 5 s, and is sure only the second time. */
	write_file(path, "scan");
	nanosleep(&age, NULL);
	write_file(path, "scan");
	report = slurp(AT_FDCWD, path, NULL);
	if (!report)
		return;
	for (line = strtok_r(report, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (in_module(line))
			say("fail kmemleak: %s", line);
}

/* The first lockdep report switches it off, and everything after it goes unchecked. */
static void check_lockdep(void)
{
	char *stats = slurp(AT_FDCWD, "/proc/lockdep_stats", NULL);
	char *at = stats ? strstr(stats, " debug_locks:") : NULL;

	if (at && strtol(strchr(at, ':') + 1, NULL, 10) != 1)
		say("fail lockdep is off: debug_locks is not 1");
}

/* The last file of a dead io_uring or a deferred fput is let go a little later than its process. */
static void unload(void)
{
	struct timespec nap = { .tv_nsec = 50 * 1000 * 1000 };

	for (int tries = 0; tries < 200; tries++) {
		if (syscall(SYS_delete_module, MODULE, O_NONBLOCK) == 0 || errno == ENOENT)
			return;
		if (errno != EAGAIN && errno != EBUSY)
			break;
		nanosleep(&nap, NULL);
	}
	say("fail " MODULE " cannot be unloaded: %s", strerror(errno));
}

int main(void)
{
	struct relay out = { .port = -1 }, err = { .port = -1 };
	char *load, *save = NULL;
	int module;

	umask(022);
	mount_all(initramfs, sizeof(initramfs) / sizeof(initramfs[0]));
	vm_folder = open("/vm", O_PATH | O_CLOEXEC);
	load = setting("load");
	for (char *m = strtok_r(load, "\n", &save); m; m = strtok_r(NULL, "\n", &save))
		insert(openat(vm_folder, m, O_RDONLY | O_CLOEXEC), m);
	module = openat(vm_folder, MODULE ".ko", O_RDONLY | O_CLOEXEC);
	build_root();
	make_links();
	be_patient();
	sethostname("vm", 2);
	loopback_up();

	out.port = open_port("stdout");
	err.port = open_port("stderr");
	status_port = open_port("status");
	if (out.port < 0 || err.port < 0 || status_port < 0)
		give_up("cannot open", "the virtio ports");
	say("up");
	if (module >= 0)
		insert(module, MODULE ".ko");

	command(&out, &err);

	if (module >= 0) {
		note_module_range();
		check_leaks();
		unload();
	}
	check_leaks();
	check_lockdep();
	sync();
	say("done");
	end();
}
