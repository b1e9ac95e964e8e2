"""Functions as backends of ropecheck: `@ropecheck.backend`, then `ropecheck check port.py`.

A port is a file with a function that rotates. Its arguments are views of the memory that ropecheck lays out, so strides,
in-place calls and what lies around the buffers are those of the call.
"""

from ._backend import Backend, Plan, Segment, backend

__all__ = ["Backend", "Plan", "Segment", "backend"]
