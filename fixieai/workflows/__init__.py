"""Work that outlives its process: runs of workflows, whose finished steps are remembered.

`engine` is all that others import. A workflow is an async function with JSON arguments and a JSON
result; what it does to the world it does in steps. The outcome of a step is stored before the
workflow goes on, so a run whose process was killed starts from the top in another process and is
given the outcomes it already had. The step under way is done again, with the same `step_key()`.

What keeps that true:

* The code between steps decides by arguments and outcomes alone: no clock, no chance, no I/O.
* A run belongs to the version it was started under, and no other version touches it. Change what a
  workflow does either with `if await patched("name"):` around the new part, or under a new version;
  then runs of the old one wait until a process of that version is open. Changed without either, a run
  that was under way fails, and says that its workflow was changed.
* Every process of one version registers the same workflows, before it opens the engine.
* `asyncio.to_thread` shares 16 threads with the engine while it is open. What blocks for long
  belongs on threads of its own.
* While Postgres is away everything waits for it, `start` and the like too: give them a time limit where
  somebody waits. When an outcome cannot be stored for another reason (the disk is full), its run stops
  where it is, and goes on when the engine is opened again.
* A run that ended a hundred processes is given up.

On SQLite one process at a time has the file; whatever ran when the last one ended is resumed as the
next one opens it. On Postgres every process needs an executor id of its own (the default is a new one
each time), and somebody has to say who is dead: `take_over`. A process that only slept finds at its
next step that the run is another's, and stops.

`json_values` says what is JSON, `failures` what can go wrong, `sqlite_file` opens the file;
`dbos_runtime` is the one module that knows DBOS, and is imported when an engine is opened.
"""
