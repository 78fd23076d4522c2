"""What the platform costs, each figure beside a floor measured in the same run: `python -m benchmarks`.

    __main__.py     the command
    rows/           one module per subject: `measure(quick)` returns rows of the table
    servers/        what is started beside the product: floors, a scripted model, an agent
    measuring.py    rounds that alternate between floor and ours
    load.py         requests, eight at a time
    processes.py    child processes and what they used up
    system.py       a platform, an agent and a model as three processes

CPU time is that of the measured process alone, with eight requests at a time, in the best of several
rounds; time on the clock is the median. Linux only: what other processes used is read from the kernel.
"""
