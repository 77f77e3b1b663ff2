"""Planning: which segment of which model runs on which node.

Pure: no Kubernetes, no files, no clock, no log.

Units everywhere: seconds, joules, watts, bytes (bits only for bandwidth), FLOP (a
multiply-add counts as two) and FLOP/s.
"""
