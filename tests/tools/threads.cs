// SPDX-License-Identifier: MIT
// A .NET program whose threads do one thing each, for test_sample.sh: their names say what. It prints "ready" and goes on until
// its standard input ends.
using System;
using System.IO.Pipes;
using System.Threading;

static class Threads
{
    private static volatile int spins;
    private static volatile object? kept;
    private static readonly object gate = new object();

    private static void Start(string name, ThreadStart work)
    {
        new Thread(work) { IsBackground = true, Name = name }.Start();
    }

    private static void Spin()
    {
        for (;;)
            spins++;
    }

    // Not so much that the garbage collector has much to do.
    private static void Allocate()
    {
        for (;;)
        {
            kept = new byte[1000];
            Thread.Sleep(1);
        }
    }

    private static void Throw()
    {
        for (;;)
        {
            try
            {
                throw new InvalidOperationException();
            }
            catch (InvalidOperationException)
            {
            }
        }
    }

    // A read of a pipe that nobody writes to.
    private static void Read()
    {
        using AnonymousPipeServerStream pipe = new AnonymousPipeServerStream(PipeDirection.In);
        pipe.ReadByte();
    }

    private static void Main()
    {
        using ManualResetEventSlim taken = new ManualResetEventSlim();

        ThreadPool.QueueUserWorkItem(_ =>
        {
            lock (gate)
            {
                taken.Set();
                Thread.Sleep(Timeout.Infinite);
            }
        });
        taken.Wait();
        Start("t-spin", Spin);
        Start("t-sleep", () => Thread.Sleep(Timeout.Infinite));
        Start("t-lock", () => { lock (gate) { } });
        Start("t-read", Read);
        Start("t-alloc", Allocate);
        Start("t-throw", Throw);
        Thread.Sleep(300);
        Console.Out.WriteLine("ready");
        Console.In.ReadLine();
    }
}
