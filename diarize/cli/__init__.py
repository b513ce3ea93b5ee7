"""The command line.

- ``commands``: ``diarize run``, ``score``, ``convert``, ``models``, ``doctor``
- ``embeddings``: ``diarize embed``
- ``transcripts``: ``diarize words``
- ``report``: ``diarize report``, ``serve``
- ``tuning``: ``diarize tune``, ``stability``
- ``enroll``, ``link``, ``find``: the commands of these names
- ``options``: options that several commands share
- ``targets``: where results are written
- ``summary``: the summary of a labelled recording
- ``console``: logging, progress, errors, exit statuses
- ``doctor``: the report of ``diarize doctor``
"""
