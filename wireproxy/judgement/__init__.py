"""Long statements, judged in processes that may die of them: `workers` is the gateway's side, `process` the other.

A parser written in C can be killed by a text, and one in Python held up by it. A text that `rules.length` calls long goes to a
worker process with bounds of time and memory. What kills the worker, or takes too long, makes the statement opaque; no other
session waits for it, and the next text gets a new process.

Nothing is imported here: a process that is started because one died should be there soon.
"""
