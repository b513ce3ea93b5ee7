"""A recording to turns.

- ``stages``: the five stages, each a function from one record to the next
- ``labels``, ``one_voice``: a speaker for each window
- ``resegmentation``: borders between speakers
- ``turns``: labelled windows to turns
- ``records``: what passes from stage to stage
- ``diarizer``: `Diarizer`, all stages
- ``result``: `Diarization`
"""
