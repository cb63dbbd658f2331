/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the kernels that the module builds for. The only place
 * that looks at the kernel's version.
 */
#ifndef _CORDBMEM_COMPAT_H
#define _CORDBMEM_COMPAT_H

#include <linux/fs.h>
#include <linux/hugetlb_inline.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/mount.h>
#include <linux/sched/coredump.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "cordbmem needs Linux 6.1 or later"
#endif

/* get_user_pages_remote() lost its vmas argument in 6.5. */
static inline long cordbmem_gup(struct mm_struct *mm, unsigned long start,
				unsigned long nr_pages, unsigned int flags,
				struct page **pages, int *locked)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
	return get_user_pages_remote(mm, start, nr_pages, flags, pages, NULL,
				     locked);
#else
	return get_user_pages_remote(mm, start, nr_pages, flags, pages, locked);
#endif
}

/*
 * Before 6.6 the lookup of huge pages took no notice of FOLL_NOFAULT and
 * allocated them; there a no-fault read must not look.
 */
static inline bool cordbmem_gup_unsafe(struct vm_area_struct *vma,
				       unsigned int flags)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
	return (flags & FOLL_NOFAULT) && is_vm_hugetlb_page(vma);
#else
	return false;
#endif
}

/* mmap_write_trylock() went away before 6.12; its counter came in 6.13. */
static inline bool cordbmem_mmap_write_trylock(struct mm_struct *mm)
{
	if (!down_write_trylock(&mm->mmap_lock))
		return false;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	mm_lock_seqcount_begin(mm);
#endif
	return true;
}

/* vm_flags became read-only in 6.3. */
static inline void cordbmem_vm_flags_mod(struct vm_area_struct *vma,
					 unsigned long set, unsigned long clear)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
#else
	vm_flags_mod(vma, set, clear);
#endif
}

#endif /* _CORDBMEM_COMPAT_H */
