"""Statistical models of speakers.

- ``plda``: the two-covariance model of embeddings, a model's back end
- ``number``: the number of speakers by the evidence of this model
- ``voice_table``: `VoiceTable`, the voices of speakers with their names
- ``enrolment``: whether two voices are of one person, the law of the scores
- ``linking``: the same people in several recordings
"""
