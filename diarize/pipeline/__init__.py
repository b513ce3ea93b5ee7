"""A recording to turns.

- ``stages``: the five stages, each a function from one record to the next
- ``labels``: the stage `label`, a speaker for each window
- ``one_voice``: whether the speakers found are one speaker after all
- ``resegmentation``: the stage `resegment`, a speaker for each shorter window
- ``turns``: the stage `turns`, labelled windows to turns
- ``records``: the records that pass from stage to stage
- ``diarizer``: `Diarizer`, which runs all stages
- ``embeddings``: the embeddings of a recording, for each window, turn, utterance or speaker
- ``recognition``: known people among the speakers
- ``result``: `Diarization`, the result
"""
