"""What the platform costs, each figure beside a floor measured in the same run: `python -m benchmarks`.

    __main__.py     the command
    rows/           one module per subject: `measure(quick)` returns rows of the table
    servers/        what is started beside the product: floors, a scripted model, an agent
    measuring.py    rounds that alternate between floor and ours, and their medians
    processes.py    child processes and what they used up
    system.py       a platform, an agent and a model as three processes

Linux only: CPU time, bytes written and peak memory of other processes are read from the kernel.
"""
