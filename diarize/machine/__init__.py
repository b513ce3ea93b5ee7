"""The machine: its threads, its devices, and what native libraries do.

- ``threads``: one thread for torch, OpenMP and BLAS
- ``devices``: the device of a network, and its precision
- ``sessions``: ONNX networks
- ``quiet_imports``: packages that would send telemetry or write files when imported
- ``description``: the processor, for tables of results
"""
