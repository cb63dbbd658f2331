// SPDX-License-Identifier: GPL-2.0
/* The functions of image.h. */
#include <elf.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "call.h"
#include "image.h"
#include "support.h"

#define IMAGE_CODE 0x10000000ULL

#ifdef __x86_64__

/* Filled in by image_write. */
struct parameters {
	uint32_t spins;
	uint32_t uid;
	char next[120];
};

extern const uint8_t image_code[], image_parameters[], image_code_end[];

__asm__(".pushsection .rodata\n"
	".globl image_code, image_parameters, image_code_end\n"
	"image_code:\n"
	"	movl image_parameters(%rip), %ecx\n"
	"1:	pause\n"
	"	decl %ecx\n"
	"	jnz 1b\n"
	"	movl image_parameters+4(%rip), %edi\n"
	"	movl %edi, %esi\n"
	"	movl %edi, %edx\n"
	"	movl $117, %eax\n" /* setresuid */
	"	syscall\n"
	"	cmpb $0, image_parameters+8(%rip)\n"
	"	je 2f\n"
	"	leaq image_parameters+8(%rip), %rdi\n"
	"	xorl %esi, %esi\n"
	"	xorl %edx, %edx\n"
	"	movl $59, %eax\n" /* execve */
	"	syscall\n"
	"2:	movl $34, %eax\n" /* pause */
	"	syscall\n"
	"	jmp 2b\n"
	".balign 8\n"
	"image_parameters:\n"
	"	.skip 128\n"
	"image_code_end:\n"
	".popsection\n");

bool image_write(const char *path, mode_t mode, uint8_t byte, uint32_t spins, uid_t uid,
		 const char *next)
{
	static uint8_t file[3 * PAGE];
	const size_t code_size = (size_t)(image_code_end - image_code);
	struct parameters parameters = { .spins = spins, .uid = uid };
	Elf64_Ehdr header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_entry = IMAGE_CODE,
		.e_phoff = sizeof(header),
		.e_ehsize = sizeof(header),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2,
	};
	Elf64_Phdr segments[2] = {
		{
			.p_type = PT_LOAD,
			.p_flags = PF_R | PF_X,
			.p_offset = PAGE,
			.p_vaddr = IMAGE_CODE,
			.p_filesz = code_size,
			.p_memsz = code_size,
			.p_align = PAGE,
		},
		{
			.p_type = PT_LOAD,
			.p_flags = PF_R | PF_W,
			.p_offset = 2 * PAGE,
			.p_vaddr = IMAGE_DATA,
			.p_filesz = PAGE,
			.p_memsz = PAGE,
			.p_align = PAGE,
		},
	};
	int fd;

	if (next && strlen(next) >= sizeof(parameters.next))
		die("name too long");
	if (next)
		memcpy(parameters.next, next, strlen(next));
	memset(file, 0, 2 * PAGE);
	memcpy(file, &header, sizeof(header));
	memcpy(file + sizeof(header), segments, sizeof(segments));
	memcpy(file + PAGE, image_code, code_size);
	memcpy(file + PAGE + (image_parameters - image_code), &parameters, sizeof(parameters));
	memset(file + 2 * PAGE, byte, PAGE);

	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, file, sizeof(file)) != sizeof(file) || fchmod(fd, mode))
		die("cannot write %s", path);
	close(fd);
	return true;
}

#else

bool image_write(const char *path, mode_t mode, uint8_t byte, uint32_t spins, uid_t uid,
		 const char *next)
{
	(void)path;
	(void)mode;
	(void)byte;
	(void)spins;
	(void)uid;
	(void)next;
	return false;
}

#endif
