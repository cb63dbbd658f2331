/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tracepoint that shows every read to whoever watches the system.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM cordbmem

#if !defined(_CORDBMEM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _CORDBMEM_TRACE_H

#include <linux/sched.h>
#include <linux/tracepoint.h>

/*
 * caller and target are process ids in the initial pid namespace, as everywhere
 * in a trace; error is 0 or a positive errno.
 */
TRACE_EVENT(cordbmem_read,
	TP_PROTO(pid_t target, u64 address, u64 length, u32 flags,
		 u64 bytes_read, int error),
	TP_ARGS(target, address, length, flags, bytes_read, error),
	TP_STRUCT__entry(
		__field(pid_t, caller)
		__field(pid_t, target)
		__field(u64, address)
		__field(u64, length)
		__field(u64, bytes_read)
		__field(int, error)
		__field(u32, flags)
	),
	TP_fast_assign(
		__entry->caller = current->tgid;
		__entry->target = target;
		__entry->address = address;
		__entry->length = length;
		__entry->bytes_read = bytes_read;
		__entry->error = error;
		__entry->flags = flags;
	),
	TP_printk("caller=%d target=%d address=0x%llx length=%llu bytes_read=%llu error=%d flags=0x%x",
		  __entry->caller, __entry->target, __entry->address,
		  __entry->length, __entry->bytes_read, __entry->error,
		  __entry->flags)
);

#endif /* _CORDBMEM_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
