"""A recording to turns.

- ``diarizer``: `Diarizer`, all stages
- ``labels``, ``one_voice``: a speaker for each window
- ``resegmentation``: borders between speakers
- ``result``: `Diarization`
"""
