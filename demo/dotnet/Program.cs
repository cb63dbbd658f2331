// SPDX-License-Identifier: MIT
// A .NET program at its daily work, for the demo to read from outside.
//
// It prints "NAME VALUE" lines about itself, then "ready", and works on until its standard input ends. On the line "pause" it
// stops calling Price, so that a trap in Price can do no harm, and answers "paused"; all else goes on. On "resume" it calls
// Price again and answers "resumed RESULT".
using System;
using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading;

static unsafe class Shop
{
    private static volatile bool paused;

    // Not inlined, so that it is a method of its own in memory. Not optimised, so that it has the frame (push rbp, ...) that
    // one sees in a debugger.
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.NoOptimization)]
    private static int Price(int quantity)
    {
        int total = quantity * 3;
        if (quantity > 1000)
            total -= total >> 4;
        return total + 4;
    }

    // What a method's function pointer points to may be a stub of the runtime (a "precode") that jumps on to the native code:
    // jmp [rip+disp32] or jmp rel32. Nothing but stubs begins with a jump here: methods save rbp first.
    private static byte* NativeCode(MethodInfo method)
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

    private static void Say(string name, ulong value)
    {
        Console.Out.WriteLine(name + " " + value.ToString("x", CultureInfo.InvariantCulture));
    }

    // [0] counts rounds, [1] the calls of Price among them.
    private static void Work(object? argument)
    {
        long* counters = (long*)(IntPtr)argument!;
        for (uint round = 0; ; round++)
        {
            Volatile.Write(ref counters[0], counters[0] + 1);
            if (!paused)
            {
                int quantity = (int)(round % 1000);
                if (Price(quantity) != quantity * 3 + 4)
                    Environment.FailFast("Price is wrong");
                Volatile.Write(ref counters[1], counters[1] + 1);
            }
            Volatile.Write(ref counters[2], paused ? 1 : 0);
            Thread.Sleep(1);
        }
    }

    private static int Main()
    {
        long* counters = (long*)NativeMemory.AllocZeroed(3, sizeof(long));
        MethodInfo price = typeof(Shop).GetMethod(nameof(Price), BindingFlags.NonPublic | BindingFlags.Static)!;

        Say("method", (ulong)NativeCode(price));
        Say("token", (ulong)price.MetadataToken);
        Say("counters", (ulong)counters);
        Console.Out.WriteLine("name Shop.Price");
        Console.Out.WriteLine("program .NET " + Environment.Version);
        Console.Out.WriteLine("ready");
        new Thread(Work) { IsBackground = true }.Start((IntPtr)counters);

        for (string? line; (line = Console.In.ReadLine()) != null;)
        {
            paused = line == "pause";
            // Only the worker itself knows that it is not in Price.
            while (Volatile.Read(ref counters[2]) != (paused ? 1 : 0))
                Thread.Yield();
            Console.Out.WriteLine(paused ? "paused 0" : "resumed " + Price(12));
        }
        return 0;
    }
}
