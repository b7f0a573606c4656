"""The benchmarks: ``make bench`` runs them all, prints what they found and writes it to ``bench/RESULTS.md``, each to its own part.

How to read them. Each time is measured beside something else that does the least that could do the job (a handler without a framework, a
route without a database, a request that finds nothing), in the same run, by turns: ours, the other, ours, the other. What counts is the
ratio of the two medians: another machine, or a busy one, changes both sides alike. The milliseconds beside it tell the order of
magnitude and nothing more. CPU time is given where one process does all the work: what else the machine does hardly touches it.

- ``cold_start``: a fresh process until its first answer, against a bare boto3 handler; with and without compiled modules
- ``warm_request``: a request to a process that had many, against a bare Chalice route with the same body
- ``aws_calls``: how many AWS calls each route may make, and what some of them made
- ``memory``: the most that a process held until its first answer
- ``plugin_management``: an administrator's requests, and the first and the last page of a log of ten thousand events
- ``sdk``: a plugin's cold start in Lambda's runtime clients against a hello world's, and a warm hook; the SDKs' sizes
- ``fan_out``: one event to twenty plugins, a thousand events to five, in order; AWS calls for each
- ``search``: the marketplace's search index with 100,000 plugins, against SQLite's FTS5
- ``session_start``: two thousand sessions started in the simulated cluster; what the last ones cost, against the first
- ``session_sweep``: the sweep over ten due sessions among a hundred, against a hundred thousand
- ``install``: where the time of an installation goes, step by step, on the local stack
- ``event_to_hook``: from a committed event to the first line of a plugin's hook, on the local stack

The last two use the local stack that runs, or start one and stop it again. ``python -m bench cold_start memory`` runs just those.
"""
