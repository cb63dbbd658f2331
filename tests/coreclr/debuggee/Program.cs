// SPDX-License-Identifier: MIT
// The .NET program under test: it is debugged by the genuine library and read by cordbmem.
//
// It prints "NAME VALUE..." lines about itself, numbers in hexadecimal, then "ready"; then it obeys one command a line, and
// answers each with lines of which the last is "done". It ends when its standard input does, with the line "bye".
//
//   code          a line "code TOKEN ADDRESS IL" for every method of Methods, in order; they are all compiled by then
//   run           calls them all once
//   hot N         calls Hot N times: "hot TOKEN ADDRESS", an address inside the code of Hot that ran last
//   late          compiles Late, which nobody calls: "late TOKEN ADDRESS", where its code lies
//   work 0|1      starts or stops the worker, which calls Work all the time and counts the calls at the address "counter"
//   gc            collects and compacts the heap: where the array that is not pinned lies now, "array ADDRESS SIZE"
using System;
using System.Globalization;
using System.Reflection;
using System.Runtime;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading;

static unsafe class Debuggee
{
    private const int Page = 4096, ReadWrite = 3, Execute = 4, PrivateAnonymous = 0x22;

    [DllImport("libc.so.6")]
    private static extern byte* mmap(void* address, nint size, int protection, int flags, int fd, nint offset);

    [DllImport("libc.so.6")]
    private static extern int munmap(void* address, nint size);

    [DllImport("libc.so.6")]
    private static extern int mprotect(void* address, nint size, int protection);

    private static readonly StringBuilder answer = new StringBuilder();
    private static readonly long* counter = (long*)NativeMemory.AllocZeroed(128);
    private const int Counting = 1, Allocating = 2;
    private static volatile int work;
    private static readonly byte[][] kept = new byte[512][];

    // Machine code "mov rax, [rsp]; ret": returns where it was called from, which is inside the code that runs now.
    private static readonly delegate* unmanaged[SuppressGCTransition]<nint> whereFrom = MakeWhereFrom();
    private static nint hotAddress;

    private static delegate* unmanaged[SuppressGCTransition]<nint> MakeWhereFrom()
    {
        byte* code = Map(1);
        new byte[] { 0x48, 0x8b, 0x04, 0x24, 0xc3 }.CopyTo(new Span<byte>(code, 5));
        if (mprotect(code, Page, ReadWrite | Execute) != 0)
            Environment.FailFast("mprotect");
        return (delegate* unmanaged[SuppressGCTransition]<nint>)code;
    }

    private static byte* Map(int pages, long wanted = 0)
    {
        byte* address = mmap((void*)wanted, pages * Page, ReadWrite, PrivateAnonymous, -1, 0);
        if ((nint)address == -1)
            Environment.FailFast("mmap");
        return address;
    }

    // What the test expects to read: a pattern that differs from page to page and from region to region.
    private static void Fill(Span<byte> bytes, int seed)
    {
        for (int i = 0; i < bytes.Length; i++)
            bytes[i] = (byte)(i * 7 + (i >> 8) * 13 + seed);
    }

    private static byte[] MakeArray(int size, int seed, bool pinned)
    {
        byte[] array = GC.AllocateUninitializedArray<byte>(size, pinned);
        Fill(array, seed);
        return array;
    }

    private static ulong AddressOf(byte[] array)
    {
        return (ulong)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(array));
    }

    private static void Say(string name, params ulong[] values)
    {
        answer.Append(name);
        foreach (ulong value in values)
            answer.Append(' ').Append(value.ToString("x", CultureInfo.InvariantCulture));
        answer.Append('\n');
    }

    private static void Send(string last)
    {
        Console.Out.Write(answer.Append(last).Append('\n').ToString());
        answer.Clear();
    }

    // What a method's function pointer points to may be a stub of the runtime (a "precode") that jumps on to the native code:
    // jmp [rip+disp32] or jmp rel32. Nothing but stubs begins with a jump here.
    private static byte* NativeCode(MethodBase method)
    {
        RuntimeHelpers.PrepareMethod(method.MethodHandle);
        byte* code = (byte*)method.MethodHandle.GetFunctionPointer();
        for (;;)
        {
            if (code[0] == 0xff && code[1] == 0x25)
                code = *(byte**)(code + 6 + *(int*)(code + 2));
            else if (code[0] == 0xe9)
                code = code + 5 + *(int*)(code + 1);
            else
                return code;
        }
    }

    private static MethodInfo Method(Type type, string name)
    {
        return type.GetMethod(name, BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public)!;
    }

    // No loop, so that the runtime compiles it anew after 30 calls and not while it runs.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Hot(int x)
    {
        hotAddress = whereFrom();
        return x * 3 + 4;
    }

    // Compiled by a command only: a breakpoint in it comes into memory while no debugger is told of anything.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Late(int x)
    {
        return x * 7 + 2;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Work(int x)
    {
        return (x ^ (x >> 3)) + 5;
    }

    // Compiles to "add byte ptr [rdi], dl", whose first byte is 0: a breakpoint there is a test of its own.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void AddByte(byte* sum, byte* unused, int x)
    {
        *sum = (byte)(*sum + x);
    }

    // Most of it is garbage at once, some of it is older then.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Allocate()
    {
        for (int i = 0; i < 64; i++)
        {
            byte[] array = new byte[100 + i];
            if (i == 0)
                kept[(*counter) % kept.Length] = array;
        }
    }

    private static void Worker()
    {
        for (int x = 0; ; x = Work(x))
        {
            if (work == Allocating)
                Allocate();
            if (work != 0)
                Volatile.Write(ref *counter, *counter + 1);
            else
                Thread.Sleep(1);
        }
    }

    private static void Obey(string command, int number, byte[] array)
    {
        switch (command)
        {
        case "code":
            // So many of them, or all: compiling takes its time.
            for (int i = 0; i < (number > 0 ? Math.Min(number, Methods.Count) : Methods.Count); i++)
            {
                MethodInfo method = Method(typeof(Methods), Methods.Name(i));
                answer.Append("code ").Append(method.MetadataToken.ToString("x", CultureInfo.InvariantCulture)).Append(' ')
                    .Append(((ulong)NativeCode(method)).ToString("x", CultureInfo.InvariantCulture)).Append(' ')
                    .Append(Convert.ToHexString(method.GetMethodBody()!.GetILAsByteArray()!)).Append('\n');
            }
            break;
        case "run":
            Say("sum", (ulong)Methods.RunAll());
            break;
        case "hot":
            for (int i = 0; i < number; i++)
                Hot(i);
            Say("hot", (ulong)Method(typeof(Debuggee), nameof(Hot)).MetadataToken, (ulong)hotAddress);
            break;
        case "late":
            MethodInfo late = Method(typeof(Debuggee), nameof(Late));
            Say("late", (ulong)late.MetadataToken, (ulong)NativeCode(late));
            break;
        case "work":
            work = number;
            break;
        case "gc":
            GCSettings.LargeObjectHeapCompactionMode = GCLargeObjectHeapCompactionMode.CompactOnce;
            GC.Collect(2, GCCollectionMode.Forced, true, true);
            Say("array", AddressOf(array), (ulong)array.Length);
            break;
        default:
            Environment.FailFast("no command " + command);
            break;
        }
    }

    private static int Main()
    {
        // Where the kernel puts nothing by itself: a hole among the other mappings would soon be filled by somebody's page.
        byte* hole = Map(6, 0x200000000000), closed = Map(3);
        Fill(new Span<byte>(hole, 6 * Page), 1);
        Fill(new Span<byte>(closed, 3 * Page), 2);
        if (munmap(hole + 3 * Page, Page) != 0 || mprotect(closed + Page, Page, 0) != 0)
            Environment.FailFast("munmap");

        // The garbage in front lets the second array move at a collection.
        byte[] pinned = MakeArray(3 * Page, 3, true), garbage = MakeArray(50000, 0, false), array = MakeArray(20000, 4, false);
        GC.KeepAlive(garbage);
        garbage = null!;

        Methods.RunAll();

        Say("pid", (ulong)Environment.ProcessId);
        answer.Append("runtime ").Append(Environment.Version).Append('\n');
        Say("hole", (ulong)hole, 6 * Page, (ulong)(hole + 3 * Page), Page);
        Say("closed", (ulong)closed, 3 * Page, (ulong)(closed + Page), Page);
        Say("pinned", AddressOf(pinned), (ulong)pinned.Length);
        Say("array", AddressOf(array), (ulong)array.Length);
        Say("counter", (ulong)counter);
        AddByte((byte*)(counter + 1), null, 1);
        MethodInfo add = Method(typeof(Debuggee), nameof(AddByte));
        Say("add", (ulong)add.MetadataToken, (ulong)NativeCode(add));
        Say("late", (ulong)Method(typeof(Debuggee), nameof(Late)).MetadataToken);
        Send("ready");
        new Thread(Worker) { IsBackground = true }.Start();

        for (string? line; (line = Console.In.ReadLine()) != null;)
        {
            string[] words = line.Split(' ');
            Obey(words[0], words.Length > 1 ? int.Parse(words[1], CultureInfo.InvariantCulture) : 0, array);
            Send("done");
        }
        GC.KeepAlive(pinned);
        Send("bye");
        return 0;
    }
}
