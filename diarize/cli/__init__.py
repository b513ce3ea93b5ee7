"""The command line.

- ``commands``: ``diarize run``, ``embed``, ``score``, ``convert``, ``models``, ``doctor``
- ``options``, ``targets``: options, and where results are written
- ``console``: logging, progress, errors
- ``doctor``: what is installed
"""
