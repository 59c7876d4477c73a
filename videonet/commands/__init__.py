"""The sub-commands, one file a verb: `configure` adds its flags, `run` does the work and gives the exit code.

Heavy imports stand inside `run`, so that --help and a mistyped flag answer at once.
"""
