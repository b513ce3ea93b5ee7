"""Threads, devices and native libraries.

- ``threads``: one thread for torch, OpenMP and BLAS
- ``devices``: the device and the precision of a network
- ``sessions``: networks in ONNX files, on one thread
- ``quiet_imports``: imports of packages that otherwise send telemetry or write files
- ``description``: the name of the processor, for tables of results
"""
