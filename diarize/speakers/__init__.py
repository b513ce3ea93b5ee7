"""Statistical models of speakers.

- ``plda``: the two-covariance model of embeddings, a model's back end
- ``number``: the number of speakers by the evidence of this model
- ``online``: speakers of a stream: stable numbers, which windows are kept
- ``model_arrays``: arrays that belong to the weights of a network, in a file beside them
- ``voice_table``: `VoiceTable`, the voices of speakers with their names
- ``enrolment``: whether two voices are of one person, the law of the scores
- ``linking``: the same people in several recordings
"""
